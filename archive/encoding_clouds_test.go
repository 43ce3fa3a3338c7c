package archive_test

import (
	"bytes"
	"maps"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Every encoding on every provider: what is stored comes back, also what no provider takes
// in one piece, and a prune leaves just what the last snapshot needs.
func TestEncodingsOnEveryProvider(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	all := settingsOf(t, id)
	all[manifest.Plain] = archive.Options{}
	compressible := text(5, 4<<20)
	for how, o := range all {
		for name, url := range map[string]string{
			"file": "file://" + t.TempDir() + "/orders", "minio": storetest.S3(t), "azurite": storetest.Azure(t), "fake-gcs": storetest.GCS(t),
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				store := openBucket(t, url, 0)
				a := archive.New(store, o)
				db := newDatabase(t, t.TempDir(), 81)
				var want []map[string][]byte
				large := ""
				for i := range 3 {
					growText(db, i, 20)
					if i == 1 {
						large = nameOf(db)
						db.set(large, append(db.noise(17<<20), compressible...)) // some of it compresses
						db.flip(0)
						db.set(nameOf(db), text(6, 3000))
					}
					if i == 2 {
						db.set(nameOf(db), append(bytes.Clone(db.files[nameOf(db)]), text(7, 900)...))
					}
					if n := mustBackup(t, a, db).Snapshot.Sequence; n != int64(i+1) {
						t.Fatalf("snapshot %d is %d", i+1, n)
					}
					want = append(want, maps.Clone(db.files))
				}
				for _, n := range []int64{1, 3} {
					mustRestore(t, archive.New(store, o), n, filepath.Join(t.TempDir(), "r"), want[n-1])
				}
				mustVerify(t, archive.New(store, o)) // reads the content of the second one, too
				for _, f := range append(db.closed()[:29], large) {
					db.remove(f)
				}
				growText(db, 3, 1) // a snapshot that has nothing new would be hollow
				n := mustBackup(t, a, db).Snapshot.Sequence
				r, err := archive.New(store, o).Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
				if err != nil || len(r.Removed) != 3 || r.Deleted.Objects == 0 || r.Failed.All() > 0 {
					t.Fatalf("%+v, %v", r, err)
				}
				if v := mustVerify(t, archive.New(store, o)); v.Snapshots != 1 || v.Unreferenced > 0 {
					t.Fatalf("%+v", v)
				}
				mustRestore(t, archive.New(store, o), n, filepath.Join(t.TempDir(), "r"), db.files)
			})
		}
	}
}

func nameOf(db *database) string { return name(db.last) }
