package main

import (
	"context"
	"errors"
	"fmt"
	neturl "net/url"
	"os"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// A site is the directory of a file:// destination as a check finds it. A check makes no such
// directory, nor one above it: the next backup would take it for a disk that is mounted.
type probeDir struct {
	root    string          // empty: no file:// destination
	missing []string        // of root and the directories above it, the deepest first
	nearest string          // the first of them that exists
	had     map[string]bool // what was in root
}

func newProbeDir(url string) *probeDir {
	s := &probeDir{had: map[string]bool{}}
	u, err := neturl.Parse(url)
	if err != nil || u.Scheme != "file" {
		return s
	}
	s.root = filepath.Clean(u.Path)
	for s.nearest = s.root; s.nearest != filepath.Dir(s.nearest); s.nearest = filepath.Dir(s.nearest) {
		if _, err := os.Lstat(s.nearest); !os.IsNotExist(err) {
			break
		}
		s.missing = append(s.missing, s.nearest)
	}
	entries, _ := os.ReadDir(s.root) // what is wrong with it, the probes report
	for _, e := range entries {
		s.had[e.Name()] = true
	}
	return s
}

// finding is a note where not even the directory above the destination exists.
func (s *probeDir) finding() (storecheck.Finding, bool) {
	if len(s.missing) < 2 {
		return storecheck.Finding{}, false
	}
	return storecheck.Finding{
		Probe: "directory", Result: storecheck.Note,
		Detail: filepath.Dir(s.root) + " does not exist yet; the first backup makes it", Advice: "is the disk mounted?",
	}, true
}

// try probes a destination. One that does not exist is probed in a directory of its own in the
// nearest one that does, where the first backup would make it.
func (s *probeDir) try(ctx context.Context, bucket providers.Bucket, report func(storecheck.Finding)) (err error) {
	if len(s.missing) == 0 {
		defer s.clear()
		return storecheck.Probe(ctx, bucket, report)
	}
	dir, err := os.MkdirTemp(s.nearest, ".strongroom-check-*")
	if err != nil {
		report(storecheck.Finding{
			Probe: "write", Result: storecheck.Failed, Detail: fmt.Sprintf("%s cannot be made: %v", s.root, err),
			Advice: "make it, so that the user that runs strongroom can write to it",
		})
		return nil
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	trial, err := providers.Open(ctx, (&neturl.URL{Scheme: "file", Path: dir}).String(), providers.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trial.Close()) }()
	return storecheck.Probe(ctx, trial, report)
}

// clear removes what is empty and was not there before.
func (s *probeDir) clear() {
	if s.root == "" {
		return
	}
	entries, _ := os.ReadDir(s.root)
	for _, e := range entries {
		if e.IsDir() && !s.had[e.Name()] {
			_ = os.Remove(filepath.Join(s.root, e.Name())) // fails when something is in it
		}
	}
}

// tryScratch looks whether the directories that the configuration names for an archive can
// be written to: else that shows with the first large file, or the first drill.
func (a *app) tryScratch(name string, report func(storecheck.Finding)) {
	if a.loaded == nil {
		return
	}
	one, err := namedArchive(a.loaded, name)
	if err != nil {
		return // it is a URL's
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
			report(storecheck.Finding{Probe: "scratch", Result: storecheck.Failed, Detail: err.Error(), Advice: "make " + dir + ", so that the user that runs strongroom can write to it"})
			continue
		}
		_ = os.Remove(made) // it is empty
		report(storecheck.Finding{Probe: "scratch", Result: storecheck.Good, Detail: dir + " can be written to"})
	}
}
