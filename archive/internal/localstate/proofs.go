package localstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
)

// ProofNotes are what this host has found out about the verification records of an archive. Records and objects never
// change, so a note stays true. Without notes, the host reads the records and the objects again.
type ProofNotes struct {
	Clean []string          `json:"clean,omitempty"` // the keys of the records that name no damage
	Read  map[string]string `json:"read,omitempty"`  // the parts that were read back whole, by place; see package archive
}

func (s *State) proofsPath(id string) string {
	return s.beside(id, ".proofs")
}

// LoadProofNotes returns the notes on an archive; the zero value if there are none.
func (s *State) LoadProofNotes(id string) (ProofNotes, error) {
	var n ProofNotes
	b, err := s.read(s.proofsPath(id), maxProofBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	if err != nil {
		return ProofNotes{}, unusable(s.proofsPath(id), err)
	}
	return n, nil
}

// SaveProofNotes replaces the notes on an archive. It keeps what another process noted on parts of the archive. A file
// that cannot be read is replaced.
func (s *State) SaveProofNotes(id string, n ProofNotes) error {
	if was, err := s.LoadProofNotes(id); err == nil && len(was.Read) > 0 {
		maps.Copy(was.Read, n.Read)
		n.Read = was.Read
	}
	b, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encoding the local state: %w", err)
	}
	return s.write(s.proofsPath(id), append(b, '\n'), maxProofBytes)
}
