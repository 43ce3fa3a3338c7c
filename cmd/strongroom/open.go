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

// An openArchive is an open archive with the state that a command needs for it.
type openArchive struct {
	*archive.Archive
	name     string // in messages: the name in the configuration, or the URL
	url      string
	bucket   providers.Bucket
	release  func() // undoes hold
	stateDir string // "" if there is no local state
	progress *archive.Progress
	encoder  *encoding.Encoder // nil: new objects are neither compressed nor encrypted
}

// open opens an archive by its URL or by its name in the configuration.
func (a *app) open(ctx context.Context, where string) (*openArchive, error) {
	if isURL(where) {
		stateDir, err := a.configuredState()
		if err != nil {
			return nil, err
		}
		return a.openURL(ctx, shortName(where), where, settings{stateDir: stateDir})
	}
	if strings.Contains(where, "/") {
		return nil, usage("%q is not a URL; write file:///absolute/path for an archive in a directory", providers.Redact(where))
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

// configuredState returns the state directory of the configuration, for an archive that is given
// by its URL. It is "" unless --config names a configuration or one was read already.
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
	return nil, usage("the configuration has no archive %q; it has %s. "+
		"An archive's URL has a scheme, such as file:///backups", providers.Redact(name), strings.Join(names, ", "))
}

// settings are the parts of the configuration that apply to an open archive.
type settings struct {
	stateDir  string
	transfers int
	bandwidth *config.Bandwidth
	slots     archive.Limiter    // bounds the transfers of several archives together; nil disables it
	counter   *providers.Counter // counts requests; nil disables it
	progress  *archive.Progress  // shared by several archives; nil: the archive has its own

	scratch     string // directory; "" is the system's
	database    string // directory of the log files; "" if they are not on this host
	compression string // as config.ParseCompression reads it; "" is none
	recipients  []string

	place string // file and line of the destination in the configuration; "" if it is given by its URL
}

func settingsOf(c *config.Config, one *config.Archive) settings {
	return settings{
		stateDir: c.StateDir, transfers: one.Transfers, bandwidth: one.Bandwidth,
		scratch: c.ScratchDir, database: one.Source.Dir, compression: one.Compression, recipients: one.Encryption.Recipients,
		place: c.Place(one.Name, "destination"),
	}
}

func (a *app) openURL(ctx context.Context, name, url string, s settings) (*openArchive, error) {
	encoder, err := a.encoder(&s)
	if err != nil {
		return nil, usageError{err}
	}
	decoder, err := a.opener(ctx)
	if err != nil {
		return nil, usageError{err}
	}
	transfers := cmp.Or(a.transfers, s.transfers)
	bucket, err := providers.Open(ctx, url, providers.Options{
		Transfers: transfers, Bandwidth: a.limits.of(s.bandwidth), Counter: s.counter, Log: a.log,
		Scratch: a.scratchLimits(&s).Scratch,
	})
	if err != nil { // no request was sent yet: the URL or this host's configuration is wrong
		return nil, usageError{at(s.place, err)}
	}
	o := &openArchive{
		name: name, url: url, bucket: bucket, release: hold(bucket), progress: s.progress, encoder: encoder,
		stateDir: stateDirectory(cmp.Or(a.stateDir, s.stateDir)),
	}
	if o.progress == nil {
		o.progress = &archive.Progress{}
	}
	o.Archive = archive.New(bucket, archive.Options{
		Transfers: transfers,
		Limiter:   s.slots,
		State:     witness(o.stateDir, url),
		Log:       a.log.With("archive", name),
		Progress:  o.progress,
		Encoder:   encoder,
		Decoder:   decoder,
	})
	return o, nil
}

// at adds the file and line of a setting to its error; "" adds nothing.
func at(place string, err error) error {
	if place == "" {
		return err
	}
	return fmt.Errorf("%s: %w", place, err)
}

// hold makes a bucket use the same directory until release is called. Otherwise the URL may name
// another one later, if a disk is unmounted while a command runs.
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

// witness returns the local state of an archive; nil if there is no state directory.
func witness(dir, url string) *archive.LocalState {
	dir = stateDirectory(dir)
	if dir == "" {
		return nil // the user has no home directory; the archive works without local state
	}
	return &archive.LocalState{Dir: dir, Place: providers.Place(url), Former: providers.FormerPlace(url)}
}

// stateDirectory returns the first of these that is set: the configured directory,
// STRONGROOM_STATE_DIR, systemd's directory, the user's default. It is "" if none is set.
func stateDirectory(dir string) string {
	if dir == "" {
		dir = os.Getenv("STRONGROOM_STATE_DIR")
	}
	if dir == "" { // systemd lists all state directories of the unit
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
