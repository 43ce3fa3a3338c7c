package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	osuser "os/user"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/config"
)

func (a *app) pauseCommand() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "pause ARCHIVE",
		Short: "Let no run of an archive begin in the service, until resume",
		Long: `Let no run of an archive begin in the running service until strongroom resume: no backup,
verification, drill or prune. A run in progress continues. A pause outlives a restart of
the service. Until it ends, the archive counts as not healthy on the status page, and
/readyz reports it. The command needs http.listen and http.token_file in the configuration.`,
		Example: `  strongroom pause orders
  strongroom pause orders --reason "the disk is replaced"`,
		Args: exactArgs(1, "pause ARCHIVE"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.pause(c.Context(), "pause", args[0], map[string]string{"by": "strongroom pause, " + userAndHost(), "reason": reason})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "a `TEXT` of at most 200 bytes that the status page and /readyz show")
	return c
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume ARCHIVE",
		Short: "End a pause of an archive in the service",
		Long: `End a pause of an archive in the running service. What became due in between begins at
once. The command needs http.listen and http.token_file in the configuration. Without them,
stop the service, delete service/ARCHIVE+paused.json in its state directory, and start it.`,
		Example: `  strongroom resume orders`,
		Args:    exactArgs(1, "resume ARCHIVE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.pause(c.Context(), "resume", args[0], nil) },
	}
}

// userAndHost names who runs the command, as far as that is known.
func userAndHost() string {
	name := "uid " + fmt.Sprint(os.Getuid())
	if u, err := osuser.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

// pauseResult is what pause and resume print.
type pauseResult struct {
	Name    string       `json:"archive_name"`
	Paused  *pauseStatus `json:"paused"`  // null after resume
	Changed bool         `json:"changed"` // false if the archive was paused already, or not paused
}

// text describes the result of pause or resume. reason is what the user gave.
func (r *pauseResult) text(reason string) string {
	p := r.Paused
	switch {
	case p == nil && !r.Changed:
		return "it was not paused; nothing has changed"
	case p == nil:
		return "resumed; what became due in between begins"
	case r.Changed:
		return "paused " + p.text()
	case reason != "" && reason != p.Reason:
		return "it was paused already, " + p.text() + "; the new reason is not recorded: to change it, resume the archive " +
			"and pause it again"
	}
	return "it was paused already, " + p.text()
}

// hasChanged reports whether a request has changed the pause of an archive. Without a status from before it, it has.
func (r *pauseResult) hasChanged(before *status) bool {
	if before == nil {
		return true
	}
	for i := range before.Archives {
		if one := &before.Archives[i]; one.Name == r.Name {
			was, is := one.Paused, r.Paused
			return (was == nil) != (is == nil) || was != nil && !was.Since.Equal(is.Since)
		}
	}
	return true
}

// pause pauses or resumes an archive in the running service.
func (a *app) pause(ctx context.Context, verb, name string, body map[string]string) error {
	if isURL(name) {
		return usage("%s takes the name of an archive in the service's configuration, and no URL", verb)
	}
	conf, err := a.config()
	if err != nil {
		return err
	}
	if _, err := namedArchive(conf, name); err != nil {
		return err
	}
	token, err := serviceToken(ctx, conf.HTTP, verb)
	if err != nil {
		return err
	}
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encoding the request: %w", err)
		}
	}
	before, err := askService(ctx, conf.HTTP)
	if err != nil {
		a.log.Debug("whether the archive was paused before cannot be read", "archive", name, "error", err)
	}
	answer, err := postToArchive(ctx, conf.HTTP, name, verb, token, text, "")
	if err != nil {
		return err
	}
	done := pauseResult{Name: name}
	if err := pauseAnswer(conf.HTTP, verb, &done, answer); err != nil {
		return err
	}
	done.Changed = done.hasChanged(before)
	return a.print(done, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s: %s\n", done.Name, done.text(body["reason"]))
		return err
	})
}

// serviceToken reads the token of the service.
func serviceToken(ctx context.Context, h *config.HTTP, verb string) (string, error) {
	if h == nil || h.TokenFile == "" {
		without := ""
		if verb == "resume" {
			without = "; or stop the service, delete service/ARCHIVE+paused.json in its state directory, and start it"
		}
		return "", usage("%s is a request to the running service, which needs http.listen and http.token_file "+
			"in the configuration; set them, and restart strongroom run%s", verb, without)
	}
	return readToken(ctx, h.TokenFile)
}

// pauseAnswer reads the service's answer.
func pauseAnswer(h *config.HTTP, verb string, one *pauseResult, answer *serviceAnswer) error {
	var v struct {
		Paused *pauseStatus `json:"paused"`
		Error  string       `json:"error"`
	}
	if err := json.Unmarshal(answer.body, &v); err != nil || answer.code != http.StatusOK && v.Error == "" {
		return notStrongroom(h, answer)
	}
	if answer.code == http.StatusOK {
		one.Paused = v.Paused
		return nil
	}
	return rejection(h, one.Name, verb, cmp.Or(v.Error, answer.status), answer.code)
}
