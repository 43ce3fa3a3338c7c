package localstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// SourceState identifies the directories and the last files of an archive's source as they were when a snapshot was
// made, or was found to be up to date. It is no evidence once another host has made a newer snapshot.
type SourceState struct {
	Snapshot int64                   `json:"snapshot"`
	SHA256   string                  `json:"sha256"`          // of the snapshot's manifest
	Dirs     map[string]source.DirID `json:"dirs"`            // by path below the source; "" is the source itself
	Files    map[string]source.DirID `json:"files,omitempty"` // by name: the tail and the closed file before it
}

// IsOf reports whether the state belongs to a snapshot.
func (s *SourceState) IsOf(ref manifest.Ref) bool {
	return s.Snapshot == ref.Sequence && s.SHA256 == ref.SHA256.String()
}

func (s *State) sourcePath(id string) string {
	return s.beside(id, ".source.json")
}

// LoadSource returns the state of an archive's source; zero if there is none.
func (s *State) LoadSource(id string) (SourceState, error) {
	var is SourceState
	b, err := s.read(s.sourcePath(id), maxSourceBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return is, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &is)
	}
	if err != nil {
		return SourceState{}, unusable(s.sourcePath(id), err)
	}
	return is, nil
}

// SaveSource replaces the state of an archive's source.
func (s *State) SaveSource(id string, is SourceState) error {
	b, err := json.Marshal(is)
	if err != nil {
		return fmt.Errorf("encoding the local state: %w", err)
	}
	return s.write(s.sourcePath(id), append(b, '\n'), maxSourceBytes)
}
