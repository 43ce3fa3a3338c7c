package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// sourceState is what a Witness keeps of an archive's source: the identity of its directories
// when a snapshot was made, or was found to be up to date. Once another host has made a newer
// one, it is no evidence any more.
type sourceState struct {
	Snapshot int64                   `json:"snapshot"`
	SHA256   string                  `json:"sha256"` // of the snapshot's manifest
	Dirs     map[string]source.DirID `json:"dirs"`   // by path below the source; "" is the source itself
}

// isOf reports whether the state belongs to a snapshot.
func (s *sourceState) isOf(ref manifest.Ref) bool {
	return s.Snapshot == ref.Sequence && s.SHA256 == ref.SHA256.String()
}

func (w *LocalState) sourcePath(id string) string {
	return strings.TrimSuffix(w.path(id), ".json") + ".source.json"
}

func (w *LocalState) loadSource(id string) (sourceState, error) {
	var s sourceState
	b, err := os.ReadFile(w.sourcePath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return sourceState{}, fmt.Errorf("reading the local state %s (deleting it loses nothing): %w", w.sourcePath(id), err)
	}
	return s, nil
}

func (w *LocalState) saveSource(id string, s sourceState) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding the local state: %w", err)
	}
	return w.write(w.sourcePath(id), append(b, '\n'))
}

// knownDirs returns the identity of the source's directories as of the base snapshot; nil
// where this host has not kept it.
func (a *Archive) knownDirs(h *head) map[string]source.DirID {
	if a.state == nil || h.base == nil {
		return nil
	}
	s, err := a.state.loadSource(h.archiveID())
	if err != nil {
		a.log.Warn("the source's directories cannot be compared with those of the last snapshot", "error", err)
	}
	if !s.isOf(h.base.ref) {
		return nil
	}
	return s.Dirs
}

// keepDirs keeps the identity of the source's directories, now that a snapshot holds what is
// in them.
func (r *backupRun) keepDirs(id string, of manifest.Ref) {
	dirs := r.capture.Dirs
	isKept := r.head.base != nil && r.head.base.ref == of && maps.Equal(dirs, r.dirs)
	if r.state == nil || dirs == nil || isKept {
		return
	}
	if err := r.state.saveSource(id, sourceState{of.Sequence, of.SHA256.String(), dirs}); err != nil {
		r.log.Warn("the identity of the source's directories was not written", "error", err)
	}
}
