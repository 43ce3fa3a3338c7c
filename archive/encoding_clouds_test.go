package archive_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Every encoding on every provider: what is stored comes back, also what no provider takes
// in one piece, and a prune leaves just what the last snapshot needs.
func TestEncodingsOnEveryProvider(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	all := settingsOf(t, id)
	all[manifest.Plain] = archive.Options{}
	var places []encodedPlace
	for how, o := range all {
		for name, url := range map[string]string{
			"file": "file://" + t.TempDir() + "/orders", "minio": storetest.S3(t), "azurite": storetest.Azure(t), "fake-gcs": storetest.GCS(t),
		} {
			places = append(places, encodedPlace{name + " " + how, openBucket(t, url, 0), o})
		}
	}
	// each calls do with every place, side by side.
	each := func(step string, do func(t *testing.T, p *encodedPlace)) {
		if t.Failed() {
			return
		}
		t.Run(step, func(t *testing.T) {
			for _, p := range places {
				t.Run(p.name, func(t *testing.T) {
					t.Parallel()
					do(t, &p)
				})
			}
		})
	}
	db := newDatabase(t, t.TempDir(), 81)
	var want []map[string][]byte
	backup := func(t *testing.T, p *encodedPlace) {
		if n := mustBackup(t, archive.New(p.store, p.options), db).Snapshot.Sequence; n != int64(len(want)) {
			t.Fatalf("it made snapshot %d, not %d", n, len(want))
		}
	}
	restore := func(t *testing.T, p *encodedPlace, n int) {
		mustRestore(t, archive.New(p.store, p.options), int64(n), filepath.Join(t.TempDir(), "r"), want[n-1])
	}
	large := ""
	for i := range 3 {
		growText(db, i, 20)
		if i == 1 {
			large = nameOf(db)
			db.set(large, append(db.noise(17<<20), text(5, 4<<20)...)) // some of it compresses
			db.flip(0)
			db.set(nameOf(db), text(6, 3000))
		}
		if i == 2 {
			db.set(nameOf(db), append(bytes.Clone(db.files[nameOf(db)]), text(7, 900)...))
		}
		want = append(want, maps.Clone(db.files))
		each(fmt.Sprintf("snapshot %d", i+1), backup)
	}
	each("restores", func(t *testing.T, p *encodedPlace) {
		restore(t, p, 1)
		restore(t, p, 3)
		mustVerify(t, archive.New(p.store, p.options)) // of all three, and reads their content
	})
	for _, f := range append(db.closed()[:29], large) {
		db.remove(f)
	}
	growText(db, 3, 1) // a snapshot that has nothing new would be hollow
	want = append(want, maps.Clone(db.files))
	each("prune", func(t *testing.T, p *encodedPlace) {
		backup(t, p)
		r, err := archive.New(p.store, p.options).Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
		if err != nil || len(r.Removed) != 3 || r.Deleted.Objects == 0 || r.Failed.All() > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		if v := mustVerify(t, archive.New(p.store, p.options)); v.Snapshots != 1 || v.Unreferenced > 0 {
			t.Fatalf("%+v", v)
		}
		restore(t, p, 4)
	})
}

// An encodedPlace is an archive at a provider that stores in one way.
type encodedPlace struct {
	name    string
	store   store.Store
	options archive.Options
}

func nameOf(db *database) string { return name(db.last) }
