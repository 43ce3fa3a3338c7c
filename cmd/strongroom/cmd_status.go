package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the state of the archives",
		Long: `Show the state of the archives, as the running service reports it. Without a running
service, or without http in the configuration, read the archives and their sources instead.
Exit code 3 if something is damaged; 1 if runs fail, are overdue or paused, or if the
service cannot verify, prune or drill.`,
		Example: `  strongroom status
  strongroom status --json`,
		Args: exactArgs(0, "status"),
		RunE: func(c *cobra.Command, _ []string) error { return a.status(c.Context()) },
	}
}

// errTrouble is returned by status if an archive has a problem other than damage.
var errTrouble = errors.New("some archives need attention")

func (a *app) status(ctx context.Context) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	s, err := askService(ctx, c.HTTP)
	if errors.Is(err, errOtherScheme) {
		a.log.Warn("the service does not respond as configured; the archives are read", "reason", err)
	}
	if err != nil {
		a.log.Debug("no service responds; the archives are read", "reason", err)
		s = &status{Archives: []archiveStatus{}}
		for i := range c.Archives {
			s.Archives = append(s.Archives, a.statusOf(ctx, c, &c.Archives[i]))
			if ctx.Err() != nil {
				return fmt.Errorf("reading the archives: %w", context.Cause(ctx))
			}
		}
	}
	if err := a.print(s, func(w io.Writer) error { return s.print(w, time.Now()) }); err != nil {
		return err
	}
	return s.verdict()
}

// askService requests the status from the running service.
func askService(ctx context.Context, h *config.HTTP) (*status, error) {
	if h == nil {
		return nil, errors.New("the configuration has no http")
	}
	answer, err := callService(ctx, h, serviceRequest{method: http.MethodGet, path: "/api/v1/archives"})
	if err != nil {
		return nil, err
	}
	if answer.code != http.StatusOK {
		return nil, fmt.Errorf("the service on %s is not strongroom: it responds with %s", h.Listen, answer.status)
	}
	s := &status{}
	if err := json.Unmarshal(answer.body, s); err != nil {
		return nil, fmt.Errorf("the service on %s is not strongroom: %w", h.Listen, err)
	}
	s.Service = true
	return s, nil
}

// statusOf reads the state of an archive without a service.
func (a *app) statusOf(ctx context.Context, c *config.Config, one *config.Archive) archiveStatus {
	s := archiveStatus{
		Name: one.Name, Destination: providers.Redact(one.Destination), State: web.StateOK,
		Damaged: []string{}, LeftOut: leftOutStatus{Some: []leftOutExample{}}, Tasks: []taskStatus{},
	}
	to, err := a.openURL(ctx, one.Name, one.Destination, settingsOf(c, one))
	if err == nil {
		defer to.close(&err)
		err = s.newest(ctx, to)
	}
	if err == nil && s.RecoverableThrough != nil {
		err = to.CheckID(ctx)
	}
	if err != nil {
		s.State, s.Error = web.StateFailing, err.Error()
		if errors.Is(err, archive.ErrDamaged) || errors.Is(err, store.ErrGone) {
			s.State, s.cause = web.StateDamaged, err
		}
		return s
	}
	if s.RecoverableThrough == nil {
		s.State = web.StateEmpty
	}
	if len(s.Damaged) > 0 || s.unsound {
		s.State = web.StateDamaged
	}
	j := configured(c, one, archive.BackupOptions{})
	src, err := j.openSource()
	if err != nil {
		s.Error = message(err)
		return s
	}
	captured, err := src.Capture(ctx, func(source.File) bool { return false })
	if err != nil {
		s.Error = message(err)
		return s
	}
	defer captured.Close()
	ahead, err := to.Pending(captured.Files)
	if err != nil {
		s.Error = err.Error()
		return s
	}
	s.Behind = &behind{int64(ahead.Files), ahead.Bytes}
	return s
}

// newest fills in the fields that come from the newest snapshot and the verification records.
func (s *archiveStatus) newest(ctx context.Context, to *openArchive) error {
	m, err := to.Newest(ctx)
	isNew := errors.Is(err, archive.ErrNoArchive) || errors.Is(err, archive.ErrNoSnapshot)
	if isNew && !errors.Is(err, archive.ErrDamaged) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the newest snapshot: %w", err)
	}
	s.LastSuccess = &m.Created
	s.RecoverableThrough = &recovery{At: m.Created}
	if p := m.ConsistentThrough; p != nil {
		s.RecoverableThrough.File, s.RecoverableThrough.Size = p.Name, p.Size
	}
	for i := range m.Files {
		if m.Files[i].Damaged() {
			s.Damaged = append(s.Damaged, m.Files[i].Name)
		}
	}
	if o := m.LeftOut; o != nil {
		s.LeftOut = leftOutStatus{Files: o.Files, Some: []leftOutExample{{Name: o.Example}}}
	}
	found, err := to.LastFindings(ctx, m.Archive)
	if err != nil {
		return fmt.Errorf("reading the result of the last verify: %w", err)
	}
	s.unsound = found != nil && found.Problems > 0
	drill, _, err := to.Drills(ctx)
	if err != nil {
		return fmt.Errorf("reading the result of the last drill: %w", err)
	}
	if drill != nil && drill.Archive == m.Archive {
		s.LastDrill = &drillStatus{At: drill.Created, Snapshot: drill.Snapshot, Error: drill.Why}
		s.unsound = s.unsound || drill.Outcome == manifest.OutcomeFailed
	}
	return nil
}

func (s *status) print(w io.Writer, now time.Time) error {
	if !s.Service {
		fmt.Fprintln(w, "no service responds; this is read from the archives")
	}
	rows := [][]string{{"ARCHIVE", "STATE", "RECOVERABLE THROUGH", "BEHIND", "NEXT RUN"}}
	for i := range s.Archives {
		one := &s.Archives[i]
		row := []string{one.Name, string(one.State), "no snapshot", "-", "-"}
		if r := one.RecoverableThrough; r != nil {
			row[2] = fmt.Sprintf("%s (%s ago)", stamp(r.At), now.Sub(r.At).Round(time.Second))
		}
		if b := one.Behind; b != nil {
			row[3] = plural(b.Files, "file") + ", " + size(b.Bytes)
		}
		switch {
		case one.Running:
			row[4] = "running"
		case one.Paused != nil:
			row[4] = "paused"
		case one.Waiting:
			row[4] = "waiting" // for a run of another archive
		case one.NextRun != nil:
			row[4] = stamp(*one.NextRun)
		}
		rows = append(rows, row)
	}
	if err := table(w, rows); err != nil {
		return err
	}
	for i := range s.Archives {
		s.Archives[i].explain(w)
	}
	return nil
}

// explain prints the details that the table omits.
func (s *archiveStatus) explain(w io.Writer) {
	if s.Error != "" {
		fmt.Fprintf(w, "%s: %s\n", s.Name, sanitizeTerminal(s.Error))
	}
	if s.Paused != nil {
		fmt.Fprintf(w, "%s: paused %s\n    strongroom resume %s\n", s.Name, s.Paused.text(), s.Name)
	}
	if f := s.LastFailure; f != nil && s.FailuresInRow > 0 {
		fmt.Fprintf(w, "%s: the last %s failed, most recently at %s: %s\n",
			s.Name, strings.TrimPrefix(plural(s.FailuresInRow, "run"), "1 "), stamp(f.At), sanitizeTerminal(f.Error))
	}
	if len(s.Damaged) > 0 {
		fmt.Fprintf(w, "%s: the newest snapshot has %s with damage, such as %s\n",
			s.Name, plural(len(s.Damaged), "log file"), sanitizeTerminal(s.Damaged[0]))
	}
	if o := s.LeftOut; o.Files > 0 {
		such := ""
		if len(o.Some) > 0 {
			such = ", such as " + quoteName(o.Some[0].Name)
		}
		fmt.Fprintf(w, "%s: %s of the source left out%s\n", s.Name, plural(o.Files, "file"), such)
	}
	if v := s.LastVerification; v != nil && v.Problems > 0 {
		fmt.Fprintf(w, "%s: the last verification, at %s, found %s\n", s.Name, stamp(v.At), plural(v.Problems, "problem"))
		for _, f := range v.Found {
			fmt.Fprintf(w, "    %s\n", sanitizeTerminal(f))
		}
	}
	if v := s.LastVerification; v != nil && v.Unthawed > 0 {
		fmt.Fprintf(w, "%s: %s could not be read back before a thaw by the last verification, at %s\n",
			s.Name, plural(v.Unthawed, "object"), stamp(v.At))
	}
	if d := s.LastDrill; d != nil && d.Error != "" {
		fmt.Fprintf(w, "%s: the last drill, of snapshot %d at %s, failed: %s\n",
			s.Name, d.Snapshot, stamp(d.At), sanitizeTerminal(d.Error))
	}
	for _, t := range s.Tasks {
		if f := t.LastFailure; f != nil && t.FailuresInRow > 0 {
			fmt.Fprintf(w, "%s: the last %s could not be done, %s in a row, most recently at %s: %s\n",
				s.Name, t.Name, plural(t.FailuresInRow, "time"), stamp(f.At), sanitizeTerminal(f.Error))
		}
	}
	for i := range s.NeedsConfirmation {
		s.NeedsConfirmation[i].print(w, s.Name)
	}
}

// print prints a guard's finding and how an operator accepts it.
func (c *confirmationStatus) print(w io.Writer, name string) {
	if c.ConfirmedAt != nil {
		fmt.Fprintf(w, "%s: an operator accepted %s at %s; the next %s uses it\n",
			name, sanitizeTerminal(c.Confirmation), stamp(*c.ConfirmedAt), sanitizeTerminal(c.Task))
		return
	}
	fmt.Fprintf(w, "%s: the %s needs a confirmation (since %s): %s\n    %s\n    strongroom confirm %s %s\n",
		name, sanitizeTerminal(c.Task), stamp(c.Since), sanitizeTerminal(c.Detail), web.Accepting(c.Guard),
		name, sanitizeTerminal(c.Confirmation))
}

// verdict returns an error if an archive is damaged or needs attention; damage comes first.
func (s *status) verdict() error {
	var damaged, trouble error
	for i := range s.Archives {
		switch s.Archives[i].State {
		case web.StateDamaged:
			if damaged == nil {
				damaged = s.Archives[i].damage()
			}
		case web.StateFailing, web.StateOverdue, web.StatePaused:
			trouble = errTrouble
		}
		failing := func(t taskStatus) bool { return t.FailuresInRow > 0 }
		if s.Archives[i].Error != "" || slices.ContainsFunc(s.Archives[i].Tasks, failing) {
			trouble = errTrouble
		}
	}
	if damaged != nil {
		return damaged
	}
	return trouble
}

// damage returns the error for a damaged archive: what keeps it from being read, then damaged log files before a failed
// drill, and both before other damage.
func (s *archiveStatus) damage() error {
	v, d := s.LastVerification, s.LastDrill
	switch {
	case s.cause != nil:
		return fmt.Errorf("%s: %w", s.Name, s.cause)
	case len(s.Damaged) > 0:
		return fmt.Errorf("%s: log files were %w", s.Name, errLogDamaged)
	case d != nil && d.Error != "" && (v == nil || v.Problems == 0): // a verification may not find this
		return fmt.Errorf("%s: %w", s.Name, archive.ErrDrillFailed)
	}
	return fmt.Errorf("%s: %w", s.Name, archive.ErrDamaged)
}
