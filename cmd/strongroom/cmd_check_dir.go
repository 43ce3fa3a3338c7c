package main

import (
	"context"
	"errors"
	"fmt"
	neturl "net/url"
	"os"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// A probeDir is the directory of a file:// destination, as check found it. Check creates neither
// that directory nor one above it: the next backup would take it for the mounted disk.
type probeDir struct {
	root    string          // "" if the destination is no file:// URL
	missing []string        // root and the directories above it that do not exist, the deepest first
	nearest string          // root or the nearest directory above it that exists
	had     map[string]bool // the names in root before the probe
}

func newProbeDir(url string) *probeDir {
	s := &probeDir{had: map[string]bool{}}
	if s.root = providers.LocalDir(url); s.root == "" {
		return s
	}
	for s.nearest = s.root; s.nearest != filepath.Dir(s.nearest); s.nearest = filepath.Dir(s.nearest) {
		if _, err := os.Lstat(s.nearest); !os.IsNotExist(err) {
			break
		}
		s.missing = append(s.missing, s.nearest)
	}
	entries, _ := os.ReadDir(s.root) // the probes report errors
	for _, e := range entries {
		s.had[e.Name()] = true
	}
	return s
}

// finding returns a note if not even the directory above the destination exists.
func (s *probeDir) finding() (storecheck.Finding, bool) {
	if len(s.missing) < 2 {
		return storecheck.Finding{}, false
	}
	return storecheck.Finding{
		Probe: "directory", Result: storecheck.Note,
		Detail: filepath.Dir(s.root) + " does not exist yet; the first backup creates it",
		Advice: "is the disk mounted?",
	}, true
}

// prober is a function of package storecheck that tests a store.
type prober func(ctx context.Context, s store.Store, report func(storecheck.Finding)) error

// try probes a destination. If it does not exist, try probes a temporary directory in the nearest
// existing one, where the first backup would create the destination.
func (s *probeDir) try(ctx context.Context, bucket providers.Bucket, probe prober, report func(storecheck.Finding)) (err error) {
	if len(s.missing) == 0 {
		return probe(ctx, bucket, report)
	}
	dir, err := os.MkdirTemp(s.nearest, ".strongroom-check-*")
	if err != nil {
		report(storecheck.Finding{
			Probe: "write", Result: storecheck.Failed, Detail: fmt.Sprintf("%s cannot be created: %v", s.root, err),
			Advice: "create it, writable for the user that runs strongroom",
		})
		return nil
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	trial, err := providers.Open(ctx, (&neturl.URL{Scheme: "file", Path: dir}).String(), providers.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trial.Close()) }()
	return probe(ctx, trial, report)
}

// clear removes the empty directories that the probe left in root.
func (s *probeDir) clear() {
	if s.root == "" {
		return
	}
	entries, _ := os.ReadDir(s.root)
	for _, e := range entries {
		if e.IsDir() && !s.had[e.Name()] {
			_ = os.Remove(filepath.Join(s.root, e.Name())) // fails if it is not empty
		}
	}
}

// tryScratch checks that the scratch directories of an archive are writable. Otherwise the first
// large file or the first drill would fail.
func (a *app) tryScratch(name string, report func(storecheck.Finding)) {
	if a.loaded == nil {
		return
	}
	one, err := namedArchive(a.loaded, name)
	if err != nil {
		return // an archive that is given by its URL
	}
	dirs := []string{a.loaded.ScratchDir}
	if one.Drill != nil && one.Drill.Scratch != a.loaded.ScratchDir {
		dirs = append(dirs, one.Drill.Scratch)
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		made, err := os.MkdirTemp(dir, ".strongroom-check-*")
		if err != nil {
			report(storecheck.Finding{
				Probe: "scratch", Result: storecheck.Failed, Detail: err.Error(),
				Advice: "create " + dir + ", writable for the user that runs strongroom",
			})
			continue
		}
		_ = os.Remove(made) // it is empty
		report(storecheck.Finding{Probe: "scratch", Result: storecheck.Good, Detail: dir + " is writable"})
	}
}
