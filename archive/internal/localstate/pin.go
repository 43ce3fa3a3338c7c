package localstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Pin is what this host remembers of an archive itself.
type Pin struct {
	Newest    manifest.Ref  `json:"newest"`                 // the newest manifest that was seen
	Archive   manifest.Hash `json:"archive_json"`           // SHA-256 of archive.json, as stored
	Anomalies []Anomaly     `json:"missed,omitempty"`       // what differed before, and was not repaired
	Whole     *Whole        `json:"stored_whole,omitempty"` // set while the ledger's next record cannot be read
}

// Whole is since when snapshots need no object that an unreadable ledger record may have dropped.
type Whole struct {
	Record int64         `json:"record"` // its number
	SHA256 manifest.Hash `json:"sha256"` // of its bytes; zero if it is too large
	Since  int64         `json:"since"`  // the first snapshot that was stored without any older object
}

// Anomaly is an object that was not as this host had seen it. Its fields are those of a problem that a verify
// reports; the file keeps them, since the next backup replaces the pin that showed the difference.
type Anomaly struct {
	Object    string   `json:"object"`
	What      string   `json:"what"`
	Detail    string   `json:"detail"`
	Files     []string `json:"files,omitempty"`
	Snapshots []int64  `json:"snapshots,omitempty"`
	Was       string   `json:"was,omitempty"`
}

// UnmarshalJSON is here because a Hash is written as text and read strictly.
func (p *Pin) UnmarshalJSON(b []byte) error {
	var raw struct {
		Newest struct {
			Sequence int64
			SHA256   string
		}
		Archive string `json:"archive_json"`
		Missed  []Anomaly
		Whole   *struct {
			Record int64
			SHA256 string
			Since  int64
		} `json:"stored_whole"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	p.Anomalies = raw.Missed
	var err1, err2 error
	p.Newest.Sequence = raw.Newest.Sequence
	p.Newest.SHA256, err1 = manifest.ParseHash(raw.Newest.SHA256)
	p.Archive, err2 = manifest.ParseHash(raw.Archive)
	if raw.Whole != nil {
		sum, err := manifest.ParseHash(raw.Whole.SHA256)
		err2 = errors.Join(err2, err)
		p.Whole = &Whole{raw.Whole.Record, sum, raw.Whole.Since}
	}
	return errors.Join(err1, err2)
}

// PinPath returns the file with the pin of an archive. Each place has a file of its own: a copy has the id of its
// source, and is behind it at times.
func (s *State) PinPath(id string) string { return s.pinPathAt(id, s.Place) }

func (s *State) pinPathAt(id, place string) string {
	if place != "" {
		id += "-" + manifest.Sum([]byte(place)).String()[:16]
	}
	return filepath.Join(s.Dir, id+".json")
}

// beside returns another file of an archive, beside its pin.
func (s *State) beside(id, ext string) string {
	return strings.TrimSuffix(s.PinPath(id), ".json") + ext
}

// LoadPin returns the pin of an archive, and false if there is none. An error that is not ErrUnread means that the file
// is damaged.
func (s *State) LoadPin(id string) (Pin, bool, error) {
	for _, place := range s.places() {
		p, err := s.readPin(s.pinPathAt(id, place))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return p, err == nil, err
	}
	return Pin{}, false, nil
}

func (s *State) readPin(file string) (p Pin, err error) {
	b, err := s.read(file, maxPinBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if n := p.Newest.Sequence; err == nil && (n < 1 || n > manifest.MaxSequence) {
		err = fmt.Errorf("%d is no sequence number", n)
	}
	if err != nil {
		return p, unusable(file, err)
	}
	return p, nil
}

// SavePin replaces the pin of an archive, unless the present one is of a newer snapshot, or is ErrUnread.
func (s *State) SavePin(id string, p Pin) error {
	switch old, ok, err := s.LoadPin(id); {
	case errors.Is(err, ErrUnread):
		return err
	case err == nil && ok && old.Newest.Sequence > p.Newest.Sequence:
		return nil
	}
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encoding the local state: %w", err)
	}
	return s.write(s.PinPath(id), append(b, '\n'), maxPinBytes)
}

// ClearAnomaly removes the anomaly of an object whose content is again the one that this host had seen.
func (s *State) ClearAnomaly(id, key string, sum manifest.Hash) error {
	p, ok, err := s.LoadPin(id)
	if err != nil || !ok {
		return err
	}
	before := len(p.Anomalies)
	p.Anomalies = slices.DeleteFunc(p.Anomalies, func(a Anomaly) bool { return a.Object == key && a.Was == sum.String() })
	if len(p.Anomalies) == before {
		return nil
	}
	return s.SavePin(id, p)
}

// AcceptID pins archive.json as a repair has restored it, and removes its anomalies.
func (s *State) AcceptID(id string, sum manifest.Hash) error {
	p, ok, err := s.LoadPin(id)
	if err != nil || !ok {
		return err
	}
	p.Archive = sum
	p.Anomalies = slices.DeleteFunc(p.Anomalies, func(a Anomaly) bool { return a.Object == manifest.ArchiveKey })
	return s.SavePin(id, p)
}
