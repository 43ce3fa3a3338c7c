package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/service/web"
)

func (a *app) confirmCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "confirm ARCHIVE CONFIRMATION",
		Short: "Accept a guard's finding that stops the service, once",
		Long: `Accept the finding of a guard in an archive's last run, once. The running service then
starts a run at once, and the snapshot or ledger record lists the accepted guard.
strongroom status shows the CONFIRMATION, such as rollback:41-0a1b2c3d. It is valid for the
current state of the archive: any new snapshot or prune makes it invalid. The command needs
http.listen and http.token_file in the configuration. Exit code 5 if the service has no
finding with this confirmation.`,
		Example: `  strongroom confirm orders rollback:41-0a1b2c3d`,
		Args:    exactArgs(2, "confirm ARCHIVE CONFIRMATION"),
		RunE:    func(c *cobra.Command, args []string) error { return a.confirm(c.Context(), args[0], args[1]) },
	}
}

// confirmed is what confirm prints.
type confirmed struct {
	Name         string `json:"archive_name"`
	Confirmation string `json:"confirmation"`
	RunID        string `json:"run_id"`
}

func (a *app) confirm(ctx context.Context, name, text string) error {
	c, err := archive.ParseConfirmation(text)
	if err != nil {
		return usageError{err}
	}
	if isURL(name) {
		return usage("confirm takes the name of an archive in the service's configuration; "+
			"for a URL, use strongroom backup --source DIR --confirm %s URL", c)
	}
	conf, err := a.config()
	if err != nil {
		return err
	}
	if _, err := namedArchive(conf, name); err != nil {
		return err
	}
	token, err := confirmToken(ctx, conf.HTTP, name, c)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"confirmation": c.String()})
	if err != nil {
		return fmt.Errorf("encoding the confirmation: %w", err)
	}
	answer, err := postToArchive(ctx, conf.HTTP, name, "confirm", token, body, ", or use, without the service: "+byHand(name, c))
	if err != nil {
		return err
	}
	done := confirmed{Name: name, Confirmation: c.String()}
	if done.RunID, err = confirmAnswer(conf.HTTP, name, c, answer); err != nil {
		return err
	}
	return a.print(done, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s is accepted once; the service starts a run (%s)\n",
			done.Name, done.Confirmation, done.RunID)
		return err
	})
}

// byHand returns the command that accepts a refusal without a service.
func byHand(name string, c archive.Confirmation) string {
	if c.Guard == manifest.GuardPrune {
		return fmt.Sprintf("strongroom prune %s", name)
	}
	return fmt.Sprintf("strongroom backup --confirm %s %s", c, name)
}

// confirmToken reads the token of the service.
func confirmToken(ctx context.Context, h *config.HTTP, name string, c archive.Confirmation) (string, error) {
	missing := ""
	switch {
	case h == nil:
		missing = "http"
	case h.TokenFile == "":
		missing = "http.token_file"
	default:
		return readToken(ctx, h.TokenFile)
	}
	return "", usage("the configuration has no %s, and the service accepts no confirmation without it; "+
		"set http.listen and http.token_file and start strongroom run, or use, without the service: %s",
		missing, byHand(name, c))
}

// confirmAnswer returns the run that the service starts, or the error that it reports.
func confirmAnswer(h *config.HTTP, name string, c archive.Confirmation, answer *serviceAnswer) (string, error) {
	var v struct {
		RunID string `json:"run_id"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(answer.body, &v); err != nil || v.RunID == "" && v.Error == "" {
		return "", notStrongroom(h, answer)
	}
	switch answer.code {
	case http.StatusAccepted:
		return v.RunID, nil
	case http.StatusConflict:
		return "", fmt.Errorf("%s: %s: %w; strongroom status shows the current confirmations",
			name, c, web.ErrNotPending)
	}
	return "", rejection(h, name, c.String(), v.Error, answer.code)
}
