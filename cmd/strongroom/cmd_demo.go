package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/source"
)

func (a *app) demoCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show a backup and restore without configuration, server or credentials",
		Long: `Show a backup and restore in a scratch directory: back up a small log directory three
times as it grows, list the snapshots, verify them, damage an object, and restore.`,
		Example: `  strongroom demo
  strongroom demo --dir /tmp/strongroom-demo`,
		Args: exactArgs(0, "demo [--dir DIR]"),
		RunE: func(c *cobra.Command, _ []string) error { return a.demo(c.Context(), dir) },
	}
	c.Flags().Var(pathFlag{&dir}, "dir", "an empty or new `DIR` to work in, which is kept (default: a temporary one)")
	return c
}

// A demo is one run of the command demo.
type demo struct {
	*app
	db, archive, restored string // directories
	url                   string
	log                   *demoLog
}

func (a *app) demo(ctx context.Context, dir string) error {
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp("", "strongroom-demo-")
	} else if err = os.MkdirAll(dir, 0o755); err == nil {
		var there []os.DirEntry
		if there, err = os.ReadDir(dir); err == nil && len(there) > 0 {
			return usage("%s is not empty; the demo needs an empty or new directory", dir)
		}
	}
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return fmt.Errorf("making the demo's directory: %w", err)
	}
	d := &demo{
		app: a, db: filepath.Join(dir, "database"),
		archive: filepath.Join(dir, "archive"), restored: filepath.Join(dir, "restored"),
	}
	a.stateDir = filepath.Join(dir, "state")
	d.url = (&url.URL{Scheme: "file", Path: d.archive}).String()
	if err := os.Mkdir(d.db, 0o755); err != nil {
		return fmt.Errorf("making the demo's directory: %w", err)
	}
	d.log = newDemoLog(d.db)
	for _, step := range []func(context.Context) error{d.backups, d.look, d.damage, d.restore} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	fmt.Fprintf(a.stdout, `
All files are in %s: database/ has the log files, archive/ the archive's objects, and
restored/ the restored files. Next, try it on a directory of your own:

    strongroom backup --source %s %s    # or your database's directory
    strongroom list %s
    strongroom restore %s --to %s

or write a configuration for the service: strongroom init
`, dir, d.db, d.url, d.url, d.url, filepath.Join(dir, "again"))
	return nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.stdout, "\n== "+format+"\n", args...) }

// command runs a command as a user would type it.
func (d *demo) command(ctx context.Context, args ...string) error {
	fmt.Fprintf(d.stdout, "$ strongroom")
	for _, arg := range args {
		fmt.Fprintf(d.stdout, " %s", arg)
	}
	fmt.Fprintln(d.stdout)
	inner := &app{stdout: d.stdout, stderr: d.stderr, secrets: d.secrets, stateDir: d.stateDir}
	root := inner.command()
	root.SetArgs(append(args, "--no-progress"))
	return root.ExecuteContext(ctx)
}

func (d *demo) backups(ctx context.Context) error {
	for i, what := range []string{
		"A database writes log files, and they are archived",
		"The database writes more; only new content is sent",
		"And once more",
	} {
		d.say("%s", what)
		if err := d.log.write(6000 + 2000*i); err != nil {
			return err
		}
		if err := d.command(ctx, "backup", "--source", d.db, d.url); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) look(ctx context.Context) error {
	d.say("The snapshots in the archive")
	if err := d.command(ctx, "list", d.url); err != nil {
		return err
	}
	d.say("Verify the archive: every byte is read and hashed")
	return d.command(ctx, "verify", "--read-data", d.url)
}

// damage flips one bit of an object, checks that verify reports it, and flips the bit back.
func (d *demo) damage(ctx context.Context) (err error) {
	o, m, err := d.snapshot(ctx, d.url, "")
	if err != nil {
		return err
	}
	defer o.close(&err)
	key := m.Files[0].Parts[0].Object
	object := filepath.Join(d.archive, filepath.FromSlash(key))
	was, err := os.ReadFile(object)
	if err != nil {
		return fmt.Errorf("damaging an object: %w", err)
	}
	bad := bytes.Clone(was)
	bad[len(bad)/2] ^= 1
	d.say("One bit of %s is flipped in the archive", key)
	if err := rewrite(object, bad); err != nil {
		return err
	}
	err = d.command(ctx, "verify", "--read-data", d.url)
	if !errors.Is(err, archive.ErrDamaged) {
		return fmt.Errorf("verify did not report the flipped bit: %w", err)
	}
	fmt.Fprintf(d.stdout, "strongroom: %v (exit code %d)\n", err, exitCode(ctx, err))
	d.say("The bit is flipped back")
	return rewrite(object, was)
}

func rewrite(file string, b []byte) error {
	if err := os.Chmod(file, 0o644); err != nil {
		return fmt.Errorf("rewriting an object: %w", err)
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return fmt.Errorf("rewriting an object: %w", err)
	}
	return nil
}

func (d *demo) restore(ctx context.Context) error {
	d.say("The database is lost; the newest snapshot is restored from the archive alone")
	if err := d.command(ctx, "restore", d.url, "--to", d.restored); err != nil {
		return err
	}
	layout, err := source.Detect(d.db)
	if err != nil {
		return err
	}
	names, err := os.ReadDir(d.db)
	if err != nil {
		return fmt.Errorf("comparing: %w", err)
	}
	n := 0
	for _, e := range names {
		if !layout.Match(e.Name()) {
			continue
		}
		want, err1 := os.ReadFile(filepath.Join(d.db, e.Name()))
		got, err2 := os.ReadFile(filepath.Join(d.restored, e.Name()))
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("comparing: %w", err)
		}
		if !bytes.Equal(want, got) {
			return fmt.Errorf("comparing: restored %s differs from the original: %w", e.Name(), archive.ErrDamaged)
		}
		n++
	}
	d.say("Compared byte for byte with the original: %s, all equal", plural(n, "file"))
	return nil
}
