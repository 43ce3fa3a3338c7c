package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/manifest"
)

// maxRateProofs is how many records of drills are read for their rates.
const maxRateProofs = 8

// Measurements returns how fast restores and drills of the archive with this id were, the oldest first: those that this
// host remembers or, if it remembers none, those in the latest records of drills, from any host. The result is empty if
// none was measured.
func (a *Archive) Measurements(ctx context.Context, id string) ([]cost.Measurement, error) {
	defer a.hold()()
	if a.state != nil {
		own, err := a.state.LoadRates(id)
		if err != nil {
			a.log.Debug("the measured rates cannot be read", "error", err)
		}
		if len(own) > 0 {
			return own, nil
		}
	}
	all, err := a.proofs(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading how long drills took: %w", err)
	}
	var found []cost.Measurement
	drills := all[manifest.ProofDrill]
	for _, o := range slices.Backward(drills[max(0, len(drills)-maxRateProofs):]) {
		p, err := a.readProof(ctx, o.Key, manifest.ProofDrill)
		if err != nil {
			return nil, fmt.Errorf("reading how long drills took: %w", err)
		}
		if p == nil || p.Archive != id {
			continue
		}
		m := cost.Measurement{
			At: p.Created, Kind: cost.Drill, Host: p.Node, Snapshot: p.Snapshot,
			Files: p.RestoredFiles, Bytes: p.RestoredBytes, MS: p.RestoreMS,
		}
		if m.IsValid() {
			found = append(found, m)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// measure returns what a restore shows of the rate, and false if it shows nothing: it fetched less than half of the
// bytes, so that most of the time may have gone into comparing the files that were there.
func (r *RestoreResult) measure(m *manifest.Manifest, kind string, began time.Time) (cost.Measurement, bool) {
	if r == nil || r.FetchedBytes < r.Bytes-r.FetchedBytes {
		return cost.Measurement{}, false
	}
	host, _ := os.Hostname() // for operators only
	is := cost.Measurement{
		At: began.UTC().Truncate(time.Millisecond), Kind: kind, Host: host, Snapshot: m.Sequence,
		Files: int64(r.Fetched), Bytes: r.FetchedBytes, MS: max(1, r.Took.Milliseconds()),
	}
	return is, is.IsValid() && r.Took >= 0
}

// keepMeasurement adds a measurement to the local state.
func (a *Archive) keepMeasurement(id string, m cost.Measurement) {
	if a.state == nil {
		return
	}
	err := a.state.AddRate(id, m)
	switch {
	case errors.Is(err, fs.ErrPermission): // a restore needs no access to the service's local state
		a.log.Debug("the rate of this restore was not recorded", "error", err)
	case err != nil:
		a.log.Warn("the rate of this restore was not recorded", "error", err)
	}
}
