package archive_test

import (
	"bytes"
	"cmp"
	"path/filepath"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// At every provider, missing and altered objects are restored, from a copy at another provider and
// from the source.
func TestRepairOnEveryProvider(t *testing.T) {
	t.Parallel()
	clouds := map[string]string{
		"file": "file://" + t.TempDir() + "/orders", "minio": storetest.S3(t), "azurite": storetest.Azure(t), "fake-gcs": storetest.GCS(t),
	}
	for name, url := range clouds {
		t.Run(name, func(t *testing.T) {
			store := openBucket(t, url, 0)
			db := newDatabase(t, t.TempDir(), 82)
			db.fill(25, 2000)
			a := archive.New(store, archive.Options{})
			mustBackup(t, a, db)
			for _, size := range []int{17 << 20, 5000} { // one that no provider takes in one piece
				db.set(nameOf(db), db.noise(size)) // too few for a bundle
				db.flip(30)
				mustBackup(t, a, db)
			}
			copied := storetest.Memory(t)
			mustCopy(t, store, copied)
			fromCopy := &archive.RepairFrom{Copies: []*archive.Archive{archive.New(copied, archive.Options{})}}
			single, bundle := copied.Keys(manifest.DataPrefix), copied.Keys(manifest.BundlesPrefix)
			content := copied.Snapshot()
			slices.SortFunc(single, func(a, b string) int { return cmp.Compare(len(content.Bytes(b)), len(content.Bytes(a))) })
			for _, lost := range [][]string{{single[0], bundle[0], manifest.ManifestKey(2)}, {single[0], bundle[0], single[1]}} {
				from := fromCopy
				if lost[2] == single[1] {
					from = &archive.RepairFrom{Source: db.source()}
				}
				if err := deleteKeys(store, lost...); err != nil {
					t.Fatal(err)
				}
				other := []byte("something else")
				if _, err := store.Put(t.Context(), lost[0], bytes.NewReader(other), storetest.SumsOf(other)); err != nil {
					t.Fatal(err)
				}
				if r := mustRepair(t, store, from); len(r.Problems) > 0 || len(r.Repaired) < len(lost) {
					t.Fatalf("%+v", r)
				}
				mustVerify(t, archive.New(store, archive.Options{}))
			}
			mustRestore(t, archive.New(store, archive.Options{}), 3, filepath.Join(t.TempDir(), "r"), db.files)
		})
	}
}
