package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/daemon"
	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/watch"
	"github.com/strongroom-dev/strongroom/service/web"
)

func (a *app) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the service: make snapshots on schedule until stopped",
		Long: `Make snapshots of every archive in the configuration on its schedule, until SIGINT or
SIGTERM. A snapshot that is overdue at the start is made at once. A failed one is retried
after one second, then two, four, up to an hour. With http in the configuration, the
service has a status page, an API and metrics. SIGHUP reloads the configuration; archives
that did not change continue. SIGUSR1 starts a snapshot of every archive.`,
		Example: `  strongroom run
  strongroom run --config /etc/strongroom/strongroom.yaml`,
		Args: exactArgs(0, "run"),
		RunE: func(c *cobra.Command, _ []string) error { return a.runService(c.Context()) },
	}
}

func (a *app) runService(ctx context.Context) error {
	signals := catchSignals() // first: during a long start, a signal would end the program
	defer signals.stop()
	systemd := findSupervisor(a.log)
	defer systemd.reportStop(ctx)()
	s, err := a.startService(ctx)
	if s == nil || err != nil {
		return err
	}
	g, running := errgroup.WithContext(ctx)
	signals.supervisor = systemd
	g.Go(func() error { return s.daemon.Run(ctx) })
	if s.page != nil {
		g.Go(func() error {
			if err := s.page.Serve(ctx, s.listener); err != nil { // archiving continues
				a.log.Error("the status page, the API and the metrics are unavailable until the next start",
					"error", err)
			}
			return nil
		})
	}
	go a.handleSignals(running, s.daemon, signals) // not waited for: a reload may hang in a disk
	if err := g.Wait(); err != nil {
		return fmt.Errorf("running: %w", err)
	}
	return nil
}

// startedService is a service that is ready to run.
type startedService struct {
	daemon   *daemon.Daemon
	page     *web.Server // nil without http in the configuration
	listener net.Listener
}

// startService prepares the service. It returns nil and no error when ctx ends before: a stop during the start is no
// failure. It then waits for no file or disk that hangs.
func (a *app) startService(ctx context.Context) (*startedService, error) {
	type result struct {
		service *startedService
		err     error
	}
	ended := make(chan result, 1)
	go func() {
		s, err := a.prepareService(ctx)
		ended <- result{s, err}
	}()
	select {
	case r := <-ended:
		if r.err != nil && ctx.Err() != nil {
			return nil, nil
		}
		return r.service, r.err
	case <-ctx.Done():
		return nil, nil
	}
}

func (a *app) prepareService(ctx context.Context) (*startedService, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	if err := a.runnable(ctx, c); err != nil {
		return nil, err
	}
	d := daemon.New(c, daemon.Options{
		Open:    a.openKept,
		Hints:   watch.New(ctx, a.log).Dir,
		Dir:     a.serviceDir(c),
		Version: programVersion(),
		Log:     a.log,
	})
	page, listener, err := a.listen(ctx, c.HTTP, d)
	if err != nil {
		return nil, err
	}
	return &startedService{d, page, listener}, nil
}

// runnable returns an error if no archive of the configuration can run. If at least one can, it
// logs the others; the service opens those again later.
func (a *app) runnable(ctx context.Context, c *config.Config) error {
	var failed error
	well := 0
	for i := range c.Archives {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		one := &c.Archives[i]
		if one.Schedule == "" {
			a.log.Warn("this archive has no schedule: it gets a snapshot only on request", "archive", one.Name)
		}
		if err := a.openable(ctx, c, one); err != nil {
			a.log.Error("this archive cannot be opened", "archive", one.Name, "error", err)
			failed = errors.Join(failed, fmt.Errorf("%s: %w", one.Name, err))
			continue
		}
		well++
	}
	if well == 0 {
		return failed
	}
	return hasWork(c, c.HTTP)
}

// hasWork returns an error if a service would have nothing to do with a configuration.
func hasWork(c *config.Config, h *config.HTTP) error {
	isScheduled := func(one config.Archive) bool { return one.Schedule != "" }
	if h == nil && !slices.ContainsFunc(c.Archives, isScheduled) {
		return usage("no archive in the configuration has a schedule, so there is nothing to run")
	}
	return nil
}

// openable checks that an archive can be opened and takes backups, and that its notification
// targets are valid. It sends no request to the provider.
func (a *app) openable(ctx context.Context, c *config.Config, one *config.Archive) (err error) {
	to, err := a.openURL(ctx, one.Name, one.Destination, settingsOf(c, one))
	if err != nil {
		return err
	}
	err = to.TakesBackups()
	to.close(&err)
	if _, bad := notify.New(one.Notify, notify.Options{Archive: one.Name, Log: a.log}); bad != nil && err == nil {
		err = usageError{at(c.Place(one.Name, "notify"), bad)}
	}
	return err
}

// openKept opens an archive for as long as the service needs it, so that the newest manifest
// stays in memory. Each run opens the source again: it may be unavailable for a while.
func (a *app) openKept(ctx context.Context, c *config.Config, one *config.Archive, slots archive.Limiter) (*daemon.Archive, error) {
	s := settingsOf(c, one)
	s.slots, s.counter = slots, &providers.Counter{}
	to, err := a.openURL(ctx, one.Name, one.Destination, s)
	if err != nil {
		return nil, err
	}
	to.release() // each run resolves the URL again: between two runs, a disk may be replaced
	j := configured(c, one, archive.BackupOptions{})
	j.group = a.groups.of(c, one)
	return &daemon.Archive{
		Archive: to.Archive,
		Backup: func(ctx context.Context, accepted archive.Acceptance) (*archive.BackupResult, error) {
			this := j
			this.o.Acceptance = accepted
			res, err := this.run(ctx, to, a.log)
			if res != nil {
				a.warn(one.Name, res)
			}
			return res, err
		},
		Source: j.openSource,
		Drill: func(ctx context.Context, d config.Drill) (*archive.DrillReport, error) {
			return a.drillKept(ctx, to, one.Source.Dir, d)
		},
		Requests: s.counter.Requests,
		Failures: s.counter.Failures,
		Close:    to.bucket.Close,
	}, nil
}

// serviceDir returns the directory of the service's persisted status, within the state directory;
// "" if there is none.
func (a *app) serviceDir(c *config.Config) string {
	dir := stateDirectory(c.StateDir)
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "service")
}

// listen creates the HTTP server and its listener, so that an address in use is an error at the
// start. Both are nil without http in the configuration.
func (a *app) listen(ctx context.Context, h *config.HTTP, d *daemon.Daemon) (*web.Server, net.Listener, error) {
	page, err := a.newServer(ctx, h, d)
	if page == nil || err != nil {
		return nil, nil, err
	}
	l, err := page.Listen(ctx)
	if err != nil {
		return nil, nil, err
	}
	return page, l, nil
}

// newServer creates the HTTP server; nil without http in the configuration.
func (a *app) newServer(ctx context.Context, h *config.HTTP, d *daemon.Daemon) (*web.Server, error) {
	if h == nil {
		return nil, nil
	}
	token, err := readToken(ctx, h.TokenFile)
	if err != nil {
		return nil, err
	}
	command, err := a.commandHere()
	if err != nil {
		return nil, err
	}
	page, err := web.New(d, web.Options{
		Listen: h.Listen, Hosts: h.Hosts, Token: token, Cert: h.CertFile, Key: h.KeyFile,
		Version: programVersion(), Command: command, Log: a.log,
	})
	if err != nil {
		return nil, usageError{err}
	}
	return page, nil
}

// commandHere returns the beginning of the commands on the status page that use the configuration.
// They have its absolute path, since operators paste them in other directories of this host.
func (a *app) commandHere() (string, error) {
	file, err := a.findConfig()
	if err != nil {
		return "", err
	}
	if file, err = filepath.Abs(file); err != nil {
		return "", fmt.Errorf("finding the configuration for the status page: %w", err)
	}
	return "strongroom --config " + shellWord(file), nil
}

// shellWord quotes a word for a shell if necessary.
func shellWord(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// The bounds of a token, in bytes: a shorter one can be guessed.
const (
	maxToken   = 1 << 16 // of the whole file
	leastToken = 16
)

// readToken returns the first line of a token file; "" without a file.
func readToken(ctx context.Context, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, info, err := disk.ReadSetting(ctx, file, maxToken)
	switch {
	case errors.Is(err, disk.ErrNotRegular), errors.Is(err, disk.ErrHangs): // no other text there would help
		return "", usage("http.token_file: %v", err)
	case err != nil:
		return "", usage("http.token_file: %v; put a long random text there, such as the output of "+
			"openssl rand -hex 32, readable only for this service", err)
	}
	if mode := info.Mode().Perm(); mode&0o006 != 0 {
		return "", usage("http.token_file: every user may read or write %s (mode %04o), and could start runs; "+
			"make a new token, and chmod o= %s", file, mode, file)
	}
	token, _, _ := strings.Cut(string(text), "\n")
	if token = strings.TrimSpace(token); len(token) < leastToken {
		return "", usage("http.token_file: the first line of %s has %d characters; a token needs %d or more; "+
			"openssl rand -hex 32 prints one", file, len(token), leastToken)
	}
	return token, nil
}
