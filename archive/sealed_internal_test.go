package archive

import (
	"errors"
	"io/fs"
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
	a := New(nil, Options{State: &LocalState{Dir: t.TempDir()}})
	sums := store.Sums{Size: 1, SHA256: manifest.Sum([]byte("x"))}
	key := manifest.DataKey("00000001.jdb", sums.SHA256, 4, manifest.Plain, nil)
	for number, want := range map[int64]int{4: 1, 5: 0} {
		interrupted := &sealedRecords{}
		interrupted.begin(a, id, 4)
		interrupted.add(a, manifest.WithNonce(key, manifest.NewNonce()), sums)
		interrupted.end()

		next := &sealedRecords{}
		next.begin(a, id, number)
		if next.count != want {
			t.Errorf("of what was recorded for snapshot 4, %d count for %d", next.count, number)
		}
		_, err := os.Stat(a.state.sealedPath(id))
		if isGone := errors.Is(err, fs.ErrNotExist); isGone != (want == 0) {
			t.Errorf("with snapshot %d: %v", number, err)
		}
		next.drop(a, id)
	}
}
