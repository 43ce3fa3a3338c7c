package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store"
)

// An opened is an archive that a command works with.
type openArchive struct {
	*archive.Archive
	name     string // as the user calls it
	url      string
	bucket   providers.Bucket
	release  func() // lets go of the place that the address named
	progress *archive.Progress
	encoder  *encoding.Encoder // nil: nothing is encoded
}

// open opens the archive at a URL or of a name in the configuration.
func (a *app) open(ctx context.Context, where string) (*openArchive, error) {
	if isURL(where) {
		stateDir, err := a.configuredState()
		if err != nil {
			return nil, err
		}
		return a.openURL(ctx, shortName(where), where, settings{stateDir: stateDir})
	}
	if strings.Contains(where, "/") {
		return nil, usage("%q is no URL; an archive in a directory is file:///absolute/path", where)
	}
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	one, err := namedArchive(c, where)
	if err != nil {
		return nil, err
	}
	return a.openURL(ctx, one.Name, one.Destination, settingsOf(c, one))
}

// configuredState is the state directory of the configuration, for an archive that is
// given by its URL: empty unless a configuration is named or was read already.
func (a *app) configuredState() (string, error) {
	if a.configFile == "" && a.loaded == nil {
		return "", nil
	}
	c, err := a.config()
	if err != nil {
		return "", err
	}
	return c.StateDir, nil
}

func namedArchive(c *config.Config, name string) (*config.Archive, error) {
	var names []string
	for i := range c.Archives {
		if c.Archives[i].Name == name {
			return &c.Archives[i], nil
		}
		names = append(names, c.Archives[i].Name)
	}
	return nil, usage("the configuration has no archive %q; it has %s. An archive's URL has a scheme, such as file:///backups", name, strings.Join(names, ", "))
}

// settings are what the configuration says of how an archive is used.
type settings struct {
	stateDir  string
	transfers int
	bandwidth *config.Bandwidth
	slots     archive.Limiter    // what archives have together; nil: each has its transfers for itself
	counter   *providers.Counter // nil: nobody counts
	progress  *archive.Progress  // what archives have together; nil: each has its own

	scratch     string // a directory; empty: the system's
	database    string // directory of the log files; empty: there is none here
	compression string // as config.ParseCompression reads it; empty: none
	recipients  []string
}

func settingsOf(c *config.Config, one *config.Archive) settings {
	return settings{
		stateDir: c.StateDir, transfers: one.Transfers, bandwidth: one.Bandwidth,
		scratch: c.ScratchDir, database: one.Source.Dir, compression: one.Compression, recipients: one.Encryption.Recipients,
	}
}

func (a *app) openURL(ctx context.Context, name, url string, s settings) (*openArchive, error) {
	encoder, err := a.encoder(&s)
	if err != nil {
		return nil, usageError{err}
	}
	decoder, err := a.opener()
	if err != nil {
		return nil, usageError{err}
	}
	transfers := cmp.Or(a.transfers, s.transfers)
	bucket, err := providers.Open(ctx, url, providers.Options{Transfers: transfers, Bandwidth: a.limits.of(s.bandwidth), Counter: s.counter, Log: a.log})
	if err != nil {
		return nil, usageError{err} // no request was sent yet: it is the URL, or what is configured on this host
	}
	o := &openArchive{name: name, url: url, bucket: bucket, release: hold(bucket), progress: s.progress, encoder: encoder}
	if o.progress == nil {
		o.progress = &archive.Progress{}
	}
	o.Archive = archive.New(bucket, archive.Options{
		Transfers: transfers,
		Limiter:   s.slots,
		State:     witness(cmp.Or(a.stateDir, s.stateDir), url),
		Log:       a.log.With("archive", name),
		Progress:  o.progress,
		Encoder:   encoder,
		Decoder:   decoder,
	})
	return o, nil
}

// hold keeps all that follows at the place that the address of a bucket names now, where that
// may change: a disk may be unmounted while a command runs.
func hold(b providers.Bucket) (release func()) {
	if h, ok := b.(store.Holder); ok {
		return h.Hold()
	}
	return func() {}
}

func (o *openArchive) close(err *error) {
	o.release()
	if closeErr := o.bucket.Close(); *err == nil && closeErr != nil {
		*err = fmt.Errorf("closing %s: %w", o.name, closeErr)
	}
}

// witness remembers what was seen last below the state directory.
func witness(dir, url string) *archive.LocalState {
	dir = stateDirectory(dir)
	if dir == "" {
		return nil // nobody has a home here; the archive works without
	}
	return &archive.LocalState{Dir: dir, Place: providers.Redact(url)}
}

// stateDirectory is the configured one, STRONGROOM_STATE_DIR, systemd's, or the usual place
// of the user; empty if there is none.
func stateDirectory(dir string) string {
	if dir == "" {
		dir = os.Getenv("STRONGROOM_STATE_DIR")
	}
	if dir == "" { // systemd names all that the unit has
		dir, _, _ = strings.Cut(os.Getenv("STATE_DIRECTORY"), ":")
	}
	if dir == "" && os.Getenv("XDG_STATE_HOME") != "" {
		dir = filepath.Join(os.Getenv("XDG_STATE_HOME"), "strongroom")
	}
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".local", "state", "strongroom")
	}
	return dir
}
