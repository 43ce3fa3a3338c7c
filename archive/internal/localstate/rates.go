package localstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/cost"
)

// rates is the content of the file.
type rates struct {
	Measured []cost.Measurement `json:"measured"` // at most cost.MaxMeasurements; the oldest first
}

func (s *State) ratesPath(id string) string { return s.beside(id, ".rates.json") }

// LoadRates returns how fast restores of an archive were on this host, the oldest first; none if none was measured.
func (s *State) LoadRates(id string) ([]cost.Measurement, error) {
	var r rates
	b, err := s.read(s.ratesPath(id), maxRateBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return nil, unusable(s.ratesPath(id), err)
	}
	return r.Measured, nil
}

// AddRate adds a measurement, and drops those that cost.Keep drops. A file that has not what was written is replaced,
// and so is one that only another user may read, in a directory where this one may. Of two processes that add one at
// the same time, one may be lost.
func (s *State) AddRate(id string, m cost.Measurement) error {
	all, err := s.LoadRates(id)
	if errors.Is(err, ErrUnread) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	b, err := json.Marshal(rates{cost.Keep(append(all, m))})
	if err != nil {
		return fmt.Errorf("encoding the local state: %w", err)
	}
	return s.write(s.ratesPath(id), append(b, '\n'), maxRateBytes)
}
