package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/source"
)

// sourceState is what a Witness keeps of an archive's source: the identity of its directories
// when the newest snapshot was made, or was found to be up to date.
type sourceState struct {
	Dirs map[string]source.DirID `json:"dirs"` // by path below the source; "" is the source itself
}

func (w *Witness) sourcePath(id string) string { return filepath.Join(w.Dir, id+".source.json") }

func (w *Witness) loadSource(id string) (sourceState, error) {
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

func (w *Witness) saveSource(id string, s sourceState) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding the local state: %w", err)
	}
	return w.write(w.sourcePath(id), append(b, '\n'))
}

// knownDirs returns the identity of the source's directories as of the newest snapshot; nil
// where this host has not kept it.
func (a *Archive) knownDirs(id string) map[string]source.DirID {
	if a.witness == nil || id == "" {
		return nil
	}
	s, err := a.witness.loadSource(id)
	if err != nil {
		a.log.Warn("the source's directories cannot be compared with those of the last snapshot", "error", err)
	}
	return s.Dirs
}

// keepDirs keeps the identity of the source's directories, now that a snapshot holds what is
// in them.
func (r *backupRun) keepDirs(id string) {
	dirs := r.capture.Dirs
	if r.witness == nil || dirs == nil || maps.Equal(dirs, r.dirs) {
		return
	}
	if err := r.witness.saveSource(id, sourceState{dirs}); err != nil {
		r.log.Warn("the identity of the source's directories was not written", "error", err)
	}
}
