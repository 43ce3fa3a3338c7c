package restorer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// maxRateProofs is how many records of drills are read for their rates.
const maxRateProofs = 8

// Measurements implements the method of archive.Archive.
func Measurements(ctx context.Context, a *repo.Repo, id string, bytes int64) ([]cost.Measurement, error) {
	defer a.Begin()()
	own := ownMeasurements(a, id)
	if slices.ContainsFunc(own, func(m cost.Measurement) bool { return m.Counts(bytes) }) {
		return own, nil
	}
	drills, err := drillMeasurements(ctx, a, id)
	if err != nil {
		return nil, fmt.Errorf("reading how long drills took: %w", err)
	}
	for _, m := range own {
		if !slices.ContainsFunc(drills, m.IsSame) { // the record of a drill on this host
			drills = append(drills, m)
		}
	}
	slices.SortStableFunc(drills, func(a, b cost.Measurement) int { return a.At.Compare(b.At) })
	return drills, nil
}

// ownMeasurements returns what this host remembers; nothing if that cannot be read, which only the estimates show.
func ownMeasurements(a *repo.Repo, id string) []cost.Measurement {
	if a.State == nil {
		return nil
	}
	own, err := a.State.LoadRates(id)
	const unread = "how fast earlier restores on this host were cannot be read"
	if err != nil && a.IsNewWarning(unread) {
		a.Log.Warn(unread, "error", err)
	}
	return own
}

// drillMeasurements returns the rates in the latest records of drills, the oldest first.
func drillMeasurements(ctx context.Context, a *repo.Repo, id string) ([]cost.Measurement, error) {
	all, err := a.Findings.Proofs(ctx)
	if err != nil {
		return nil, err
	}
	var found []cost.Measurement
	drills := all[manifest.ProofDrill]
	for _, o := range drills[max(0, len(drills)-maxRateProofs):] {
		p, err := a.Findings.ReadProof(ctx, o.Key, manifest.ProofDrill)
		if err != nil {
			return nil, err
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
	return found, nil
}

// measure returns what a restore shows of the rate, and false if it shows nothing: it fetched less than half of the
// bytes, so that most of the time may have gone into comparing the files that were there.
func measure(r *values.RestoreResult, m *manifest.Manifest, kind string, began time.Time) (cost.Measurement, bool) {
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
func keepMeasurement(a *repo.Repo, id string, m cost.Measurement) {
	if a.State == nil {
		return
	}
	err := a.State.AddRate(id, m)
	switch {
	case errors.Is(err, fs.ErrPermission): // a restore needs no access to the service's local state
		a.Log.Debug("the rate of this restore was not recorded", "error", err)
	case err != nil:
		a.Log.Warn("the rate of this restore was not recorded", "error", err)
	}
}
