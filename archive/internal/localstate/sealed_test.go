package localstate

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Objects recorded for a snapshot that another host has made since can serve no later one. The
// record is deleted; otherwise it would stay for ever and take the place of the next.
func TestRecordedObjectsOfAnotherSnapshotGo(t *testing.T) {
	t.Parallel()
	const id = "an-archive"
	state, log := &State{Dir: t.TempDir()}, slog.New(slog.DiscardHandler)
	sums := store.Sums{Size: 1, SHA256: manifest.Sum([]byte("x"))}
	key := manifest.DataKey("00000001.jdb", sums.SHA256, 4, manifest.Plain, nil)
	for number, want := range map[int64]int{4: 1, 5: 0} {
		interrupted := NewSealedRecords(state, log)
		interrupted.Begin(id, 4)
		interrupted.Add(manifest.WithNonce(key, manifest.NewNonce()), sums)
		interrupted.End()

		next := NewSealedRecords(state, log)
		next.Begin(id, number)
		if next.count != want {
			t.Errorf("of what was recorded for snapshot 4, %d count for %d", next.count, number)
		}
		_, err := os.Stat(state.sealedPath(id))
		if isGone := errors.Is(err, fs.ErrNotExist); isGone != (want == 0) {
			t.Errorf("with snapshot %d: %v", number, err)
		}
		next.Drop(id)
	}
}
