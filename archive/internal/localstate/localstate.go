// Package localstate keeps what one host remembers of an archive, in a few small files per archive: the newest
// snapshot that it saw, where the archive is stored, and what the source's files were like. The store alone cannot
// show that its newest snapshot is gone, since that looks like a snapshot that was never finished. Deleting the
// files loses nothing but this knowledge.
package localstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// State is the directory with the local state of one archive, or of several. A nil State remembers nothing: of its
// methods, only AtPlace and CheckPlace accept it.
type State struct {
	Dir   string // is made when it is missing
	Place string // the archive's address, without credentials; empty: the files are named after the archive alone

	// Former is the address as earlier versions wrote it; empty if it is the same. What they remembered is read where
	// nothing was written for Place yet.
	Former string
}

// savedPlace is what the local state holds of a place.
type savedPlace struct {
	Place   string `json:"place"`
	Archive string `json:"archive"` // the id of the archive that was there
}

func (s *State) placePath() string { return s.pathOf(s.Place) }

func (s *State) pathOf(place string) string {
	sum := manifest.Sum([]byte(place))
	return filepath.Join(s.Dir, "place-"+sum.String()[:32]+".json")
}

// CheckPlace returns store.ErrGone if this host has seen an archive at the place: the caller has found none there,
// and would begin a new one.
func (s *State) CheckPlace() error {
	was, file, err := s.atPlace()
	if err != nil || was == "" {
		return err
	}
	return fmt.Errorf("%w: this host has read from or archived to %s before, and nothing is there any more (archive %s); "+
		"is the disk mounted and the address right? To begin a new archive there, delete %s",
		store.ErrGone, s.Place, was, file)
}

// AtPlace returns the id of the archive that this host last found at the place; empty if it has found none.
func (s *State) AtPlace() (id string, err error) {
	id, _, err = s.atPlace()
	return id, err
}

// atPlace is AtPlace, with the file that has the id.
func (s *State) atPlace() (id, file string, err error) {
	if s == nil || s.Place == "" {
		return "", "", nil
	}
	for _, place := range s.places() {
		file := s.pathOf(place)
		b, err := s.read(file, maxPlaceBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", "", unusable(file, err)
		}
		var was savedPlace
		if err := json.Unmarshal(b, &was); err != nil || was.Place != place {
			return "", "", nil // it describes another place
		}
		return was.Archive, file, nil
	}
	return "", "", nil
}

// places returns the forms of the address, the present one first.
func (s *State) places() []string {
	if s.Place == "" || s.Former == "" || s.Former == s.Place {
		return []string{s.Place}
	}
	return []string{s.Place, s.Former}
}

// SavePlace records which archive is at the place.
func (s *State) SavePlace(id string) error {
	if s.Place == "" {
		return nil
	}
	b, err := json.Marshal(savedPlace{s.Place, id})
	if err != nil {
		return fmt.Errorf("encoding the local state: %w", err)
	}
	switch old, err := s.read(s.placePath(), maxPlaceBytes); {
	case errors.Is(err, ErrUnread):
		return fmt.Errorf("reading the local state: %w", err)
	case err == nil && string(old) == string(b)+"\n":
		return nil
	}
	return s.write(s.placePath(), append(b, '\n'), maxPlaceBytes)
}
