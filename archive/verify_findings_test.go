package archive_test

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// An archive is carried from one provider to the next and back to where it began: each snapshot
// that is restored from one is backed up to the other, oldest first. Every one of them is sound
// everywhere, and the last content equals the first.
func TestCarriedFromProviderToProvider(t *testing.T) {
	t.Parallel()
	clouds := []struct{ name, url string }{
		{"file", "file://" + t.TempDir() + "/orders"},
		{"minio", storetest.S3(t)},
		{"azurite", storetest.Azure(t)},
		{"fake-gcs", storetest.GCS(t)},
		{"file again", "file://" + t.TempDir() + "/orders"},
	}
	db := newDatabase(t, t.TempDir(), 80)
	large := make([]byte, 17<<20) // no provider sends it in one piece
	rand.NewChaCha8([32]byte{80}).Read(large)

	from := archive.New(openBucket(t, clouds[0].url, 0), archive.Options{})
	var want []map[string][]byte
	backup := func() {
		mustBackup(t, from, db)
		want = append(want, maps.Clone(db.files))
	}
	db.fill(25, 2_000) // a bundle
	db.grow(1_000)
	backup()
	db.grow(500) // the open file is of two parts from now on
	backup()
	db.set(name(db.last), large)
	db.flip(300)
	db.remove(name(3)) // by the database's cleaner
	backup()

	for _, c := range clouds[1:] {
		to := archive.New(openBucket(t, c.url, 0), archive.Options{})
		for i, files := range want {
			dir := filepath.Join(t.TempDir(), "r")
			mustRestore(t, from, int64(i+1), dir, files)
			res := mustBackup(t, to, &database{t: t, dir: dir})
			if !res.Committed || res.Snapshot.Sequence != int64(i+1) {
				t.Fatalf("%s: snapshot %d became %+v", c.name, i+1, res.Snapshot)
			}
			if res := mustBackup(t, to, &database{t: t, dir: dir}); res.Committed || res.Sent > 0 {
				t.Errorf("%s: snapshot %d was sent again: %+v", c.name, i+1, res)
			}
		}
		if r := mustVerify(t, to); r.Snapshots != len(want) || r.ReadBytes < int64(len(large)) {
			t.Errorf("%s: %+v", c.name, r)
		}
		from = to
	}
	for i, files := range want {
		mustRestore(t, from, int64(i+1), filepath.Join(t.TempDir(), "r"), files)
	}
}
