package main

import (
	neturl "net/url"
	"os"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/archive"
)

// A scaffold is the directories that trying a file:// destination makes, and that are
// removed again: a later backup must not take them for a disk that is mounted.
type scaffold struct {
	root    string          // "": no file:// destination
	missing []string        // of root and the directories above it, the deepest first
	had     map[string]bool // what was in root
}

func newScaffold(url string) *scaffold {
	s := &scaffold{had: map[string]bool{}}
	u, err := neturl.Parse(url)
	if err != nil || u.Scheme != "file" {
		return s
	}
	s.root = filepath.Clean(u.Path)
	for dir := s.root; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !os.IsNotExist(err) {
			break
		}
		s.missing = append(s.missing, dir)
	}
	entries, _ := os.ReadDir(s.root) // what is wrong with it, the probes tell
	for _, e := range entries {
		s.had[e.Name()] = true
	}
	return s
}

// finding is a note where not even the directory above the destination exists.
func (s *scaffold) finding() (archive.Finding, bool) {
	if len(s.missing) < 2 {
		return archive.Finding{}, false
	}
	return archive.Finding{
		Probe: "directory", Result: archive.Note,
		Detail: filepath.Dir(s.root) + " does not exist yet and would be made", Advice: "is the disk mounted?",
	}, true
}

// remove takes away what is empty and was not there before.
func (s *scaffold) remove() {
	if s.root == "" {
		return
	}
	entries, _ := os.ReadDir(s.root)
	for _, e := range entries {
		if e.IsDir() && !s.had[e.Name()] {
			_ = os.Remove(filepath.Join(s.root, e.Name())) // fails when something is in it
		}
	}
	for _, dir := range s.missing {
		if os.Remove(dir) != nil {
			return
		}
	}
}

// tryScratch looks whether the directories that the configuration names for an archive can
// be written to: else that shows with the first large file, or the first drill.
func (a *app) tryScratch(name string, report func(archive.Finding)) {
	if a.loaded == nil {
		return
	}
	one, err := named(a.loaded, name)
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
			report(archive.Finding{Probe: "scratch", Result: archive.Failed, Detail: err.Error(), Advice: "make " + dir + ", so that the user that runs strongroom can write to it"})
			continue
		}
		_ = os.Remove(made) // it is empty
		report(archive.Finding{Probe: "scratch", Result: archive.Good, Detail: dir + " can be written to"})
	}
}
