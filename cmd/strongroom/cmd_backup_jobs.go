package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/source"
)

// A job is one backup: a source, an archive and the options.
type job struct {
	name, url string
	entry     string // in the configuration: the name of the database
	group     *group // the jobs of the same entry; set before the job runs
	settings  settings
	dir       string
	layout    source.LayoutOptions
	o         archive.BackupOptions

	before, after  string // shell commands; "" runs none
	commandTimeout time.Duration
}

// jobs returns the backups that the command line requests.
func (a *app) jobs(b *backupFlags, args []string) ([]job, error) {
	if b.dir != "" {
		if len(args) != 1 || !isURL(args[0]) || b.all {
			return nil, usage("--source takes one URL to back up to, such as: "+
				"strongroom backup --source %s file:///backups/%s", b.dir, filepath.Base(b.dir))
		}
		j, err := adHoc(b, args[0])
		if err == nil {
			j.settings.stateDir, err = a.configuredState()
		}
		return []job{j}, err
	}
	if err := needsSource(&b.layout, &b.encode); err != nil {
		return nil, err
	}
	if b.all == (len(args) > 0) {
		return nil, usage("name archives of the configuration, use --all, or back up a directory with --source DIR URL")
	}
	args, err := a.orAll(args)
	if err != nil {
		return nil, err
	}
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	var jobs []job
	for _, name := range args {
		if isURL(name) {
			return nil, usage("%s is a URL; name the directory to back up with --source DIR", providers.Redact(name))
		}
		one, err := namedArchive(c, name)
		if err != nil {
			return nil, err
		}
		j := configured(c, one, b.o)
		if b.node != "" {
			j.o.Node = b.node
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// adHoc returns a backup without configuration, as the flags describe it.
func adHoc(b *backupFlags, url string) (job, error) {
	dir, err := filepath.Abs(b.dir)
	if err != nil {
		return job{}, fmt.Errorf("the source %s: %w", b.dir, err)
	}
	if i := strings.LastIndexByte(url, '@'); i > strings.LastIndexByte(url, '/') {
		return job{}, usage("%s: a backup makes a new snapshot, so the URL takes no %s", shortName(url[:i]), shownSelector(url, i))
	}
	o := b.o
	o.Tool = tool()
	if o.Node = b.node; o.Node == "" {
		o.Node, err = os.Hostname()
	}
	s := settings{database: dir, compression: b.encode.compression, recipients: b.encode.recipients}
	return job{name: shortName(url), entry: shortName(url), url: url, settings: s, dir: dir, layout: b.layout, o: o}, err
}

// configured returns the backup of an archive in the configuration.
func configured(c *config.Config, one *config.Archive, o archive.BackupOptions) job {
	s := &one.Source
	o.Tool, o.Node = tool(), one.Node
	return job{
		name: one.Name, entry: entryOf(one), url: one.Destination, settings: settingsOf(c, one), o: o, dir: s.Dir,
		layout: source.LayoutOptions{
			Name: s.Layout, Pattern: s.Pattern, Base: s.Base, Closed: s.Closed, Quiet: s.Quiet, NoQuiet: s.NoQuiet,
			NoTail: s.Tail == "exclude", NoEntries: s.Entries == "ignore",
		},
		before: s.Before, after: s.After, commandTimeout: s.CommandTimeout,
	}
}

func tool() string { return "strongroom " + programVersion() }

// openSource opens the directory of log files. It detects the layout if none is given.
func (j *job) openSource() (*source.Directory, error) {
	if err := archive.CheckOverlap("the source", j.dir, providers.LocalDir(j.url)); err != nil {
		return nil, err
	}
	src, err := source.OpenWith(j.dir, j.layout)
	if errors.As(err, new(*source.OptionsError)) {
		return nil, usageError{err}
	}
	return src, err
}
