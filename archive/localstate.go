package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// A Witness remembers on this host, in one small file per archive, the newest manifest
// that was seen: the bucket alone cannot tell that its newest snapshot has gone, since
// that looks like a snapshot that was never finished. Deleting the files loses nothing
// but that knowledge.
type LocalState struct {
	Dir string // is made when it is missing

	// Place is the archive's address, without credentials. It lets the witness notice
	// that an archive is gone as a whole, such as with a disk that is not mounted, once any
	// operation has read it. Empty: nobody looks.
	Place string
}

// savedPlace is what a witness remembers of a place.
type savedPlace struct {
	Place   string `json:"place"`
	Archive string `json:"archive"` // the id of the archive that was there
}

func (w *LocalState) placePath() string {
	sum := manifest.Sum([]byte(w.Place))
	return filepath.Join(w.Dir, "place-"+sum.String()[:32]+".json")
}

// checkPlace refuses to begin a new archive where this host has seen one.
func (w *LocalState) checkPlace() error {
	was, err := w.atPlace()
	if err != nil || was == "" {
		return err
	}
	return fmt.Errorf("%w: this host has read from or archived to %s before, and nothing is there any more (archive %s); is the disk mounted and the address right? To begin a new archive there, delete %s",
		store.ErrGone, w.Place, was, w.placePath())
}

// atPlace returns the id of the archive that this host last found at the place; empty where it
// has found none.
func (w *LocalState) atPlace() (id string, err error) {
	if w == nil || w.Place == "" {
		return "", nil
	}
	b, err := os.ReadFile(w.placePath())
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the local witness: %w", err)
	}
	var was savedPlace
	if err := json.Unmarshal(b, &was); err != nil || was.Place != w.Place {
		return "", nil // it describes another place
	}
	return was.Archive, nil
}

// savePlace remembers which archive lies at the place.
func (w *LocalState) savePlace(id string) error {
	if w.Place == "" {
		return nil
	}
	b, err := json.Marshal(savedPlace{w.Place, id})
	if err != nil {
		return fmt.Errorf("encoding the local witness: %w", err)
	}
	if old, err := os.ReadFile(w.placePath()); err == nil && string(old) == string(b)+"\n" {
		return nil
	}
	return w.write(w.placePath(), append(b, '\n'))
}

// pin is what a witness remembers of an archive.
type pin struct {
	Newest    manifest.Ref  `json:"newest"`
	Archive   manifest.Hash `json:"archive_json"`     // SHA-256 of archive.json, as stored
	Anomalies []Problem     `json:"missed,omitempty"` // what was found before, and went unmended
}

// UnmarshalJSON is here because a Hash is written as text and read strictly.
func (s *pin) UnmarshalJSON(b []byte) error {
	var raw struct {
		Newest struct {
			Sequence int64
			SHA256   string
		}
		Archive string `json:"archive_json"`
		Missed  []Problem
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	s.Anomalies = raw.Missed
	var err1, err2 error
	s.Newest.Sequence = raw.Newest.Sequence
	s.Newest.SHA256, err1 = manifest.ParseHash(raw.Newest.SHA256)
	s.Archive, err2 = manifest.ParseHash(raw.Archive)
	return errors.Join(err1, err2)
}

// path is the file of an archive. A copy has the id of its source and is behind it at
// times, so that each place has a file of its own.
func (w *LocalState) path(id string) string {
	if w.Place != "" {
		id += "-" + manifest.Sum([]byte(w.Place)).String()[:16]
	}
	return filepath.Join(w.Dir, id+".json")
}

// load gives what was seen of an archive last, and false when nothing was.
func (w *LocalState) load(id string) (pin, bool, error) {
	var s pin
	b, err := os.ReadFile(w.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if n := s.Newest.Sequence; err == nil && (n < 1 || n > manifest.MaxSequence) {
		err = fmt.Errorf("%d is no sequence number", n)
	}
	if err != nil {
		return s, false, fmt.Errorf("reading the local witness %s (deleting it loses nothing): %w", w.path(id), err)
	}
	return s, true, nil
}

// save remembers s, unless something newer is remembered already.
func (w *LocalState) save(id string, s pin) error {
	if old, ok, err := w.load(id); err == nil && ok && old.Newest.Sequence > s.Newest.Sequence {
		return nil
	}
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding the local witness: %w", err)
	}
	return w.write(w.path(id), append(b, '\n'))
}

// clearAnomaly takes back what was missed of an object that is again what it was.
func (w *LocalState) clearAnomaly(id, key string, sum manifest.Hash) error {
	s, ok, err := w.load(id)
	if err != nil || !ok {
		return err
	}
	before := len(s.Anomalies)
	s.Anomalies = slices.DeleteFunc(s.Anomalies, func(p Problem) bool { return p.Object == key && p.Was == sum.String() })
	if len(s.Anomalies) == before {
		return nil
	}
	return w.save(id, s)
}

// acceptID remembers archive.json as a repair has put it back.
func (w *LocalState) acceptID(id string, sum manifest.Hash) error {
	s, ok, err := w.load(id)
	if err != nil || !ok {
		return err
	}
	s.Archive = sum
	s.Anomalies = slices.DeleteFunc(s.Anomalies, func(p Problem) bool { return p.Object == manifest.ArchiveKey })
	return w.save(id, s)
}

// checkPin compares the archive with what this host saw last. What it finds is a
// warning for a backup, which goes on with the next number, and a problem for Verify.
func (a *Archive) checkPin(h *head, s *pin) {
	if s == nil {
		return
	}
	problems := a.anomalies(h, s)
	h.greatest = max(h.greatest, s.Newest.Sequence)
	h.anomalies = problems
	for _, p := range problems {
		h.warn("%s %s", p.Object, p.Detail)
	}
}

// loadPin is what the local witness has seen of an archive, or nil. What is held against
// it must be looked up afterwards: the archive and the witness both go on.
func (a *Archive) loadPin(id string) *pin {
	if a.state == nil || id == "" {
		return nil
	}
	s, ok, err := a.state.load(id)
	switch {
	case err != nil:
		a.log.Warn("the local witness cannot be used", "error", err)
		return nil
	case !ok:
		return nil
	}
	return &s
}

// anomalies says what is otherwise than the local witness has seen.
func (a *Archive) anomalies(h *head, s *pin) []Problem {
	problems := s.Anomalies
	newest, forget := h.newest(), "; to have this forgotten, delete "+a.state.path(h.archiveID())
	a.mu.Lock()
	idSum := a.idSum
	a.mu.Unlock()
	if !s.Archive.IsZero() && !idSum.IsZero() && s.Archive != idSum {
		problems = append(problems, Problem{
			Object: manifest.ArchiveKey, What: "witness",
			Detail: fmt.Sprintf("is not what this host has seen: it hashes to %s and was %s%s", idSum, s.Archive, forget),
		})
	}
	p := Problem{Object: manifest.ManifestKey(s.Newest.Sequence), What: "witness", Snapshots: []int64{s.Newest.Sequence}, Was: s.Newest.SHA256.String()}
	switch {
	case newest.Sequence < s.Newest.Sequence:
		p.Detail = fmt.Sprintf("was seen by this host and is gone; the newest snapshot is now %d%s", newest.Sequence, forget)
		problems = append(problems, p)
	case newest.Sequence == s.Newest.Sequence && newest.SHA256 != s.Newest.SHA256:
		p.Detail = fmt.Sprintf("is not what this host has seen: it hashes to %s and was %s%s", newest.SHA256, s.Newest.SHA256, forget)
		problems = append(problems, p)
	}
	return problems
}

// savePin remembers the newest snapshot on this host, and what was missed: it does not
// go away by going on.
func (a *Archive) savePin(id string, newest manifest.Ref, missed []Problem) {
	if a.state == nil {
		return
	}
	const noted = " (noticed at "
	for i := range missed {
		if p := &missed[i]; !strings.Contains(p.Detail, noted) {
			p.Detail += noted + time.Now().UTC().Format(time.RFC3339) + ")"
		}
	}
	a.mu.Lock()
	s := pin{Newest: newest, Archive: a.idSum, Anomalies: missed}
	a.mu.Unlock()
	err := a.state.save(id, s)
	if err == nil {
		err = a.state.savePlace(id)
	}
	if err != nil {
		a.log.Warn("the local witness was not written; state_dir, or STRONGROOM_STATE_DIR, names its directory", "error", err)
	}
}
