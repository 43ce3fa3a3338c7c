package archive_test

import (
	"context"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func TestAhead(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 1)
	a := archive.New(storetest.Memory(t), archive.Options{})
	var marks []uint64
	check := func(what string, files, closed int, bytes int64) {
		t.Helper()
		captured, err := db.source().Capture(t.Context(), func(source.File) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		defer captured.Close()
		got, err := a.Pending(captured.Files)
		if err != nil {
			t.Fatal(err)
		}
		if got.Files != files || got.Closed != closed || got.Bytes != bytes || (got.Fingerprint != 0) != (closed > 0) {
			t.Errorf("%s: %+v, not %d files (%d closed), %d bytes", what, got, files, closed, bytes)
		}
		marks = append(marks, got.Fingerprint)
	}
	db.flip(100)
	db.flip(200)
	size := func() (n int64) {
		for _, b := range db.files {
			n += int64(len(b))
		}
		return n
	}
	check("before the first snapshot", len(db.files), len(db.closed()), size())
	mustBackup(t, a, db)
	check("after it", 0, 0, 0)
	before := size()
	db.grow(1000)
	check("the tail has grown", 1, 0, size()-before)
	mustBackup(t, a, db)
	before = size()
	db.flip(500)
	check("a file has closed", 2, 1, size()-before)
	check("and nothing else", 2, 1, size()-before)
	if n := len(marks); marks[n-1] != marks[n-2] || marks[0] == marks[n-1] {
		t.Errorf("the marks are %v", marks)
	}
	mustBackup(t, a, db)
	db.remove(db.closed()[0])
	check("one is gone", 0, 0, 0)
}

// A sample reads about as much as requested, something in any case, and in the end all.
func TestVerifySample(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 1)
	for range 50 {
		db.flip(300_000) // too large for bundles
	}
	store := storetest.Memory(t)
	a := archive.New(store, archive.Options{})
	mustBackup(t, a, db)
	read := func(sample float64) *archive.VerifyReport {
		t.Helper()
		r, err := a.Verify(context.Background(), archive.VerifyOptions{Sample: sample})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := read(1e-9); r.ReadObjects < 1 || r.ReadBytes > r.Bytes/10 {
		t.Errorf("a tiny sample: %+v", r)
	}
	if r := read(0.2); r.ReadBytes < r.Bytes/5 || r.ReadBytes > r.Bytes/3 {
		t.Errorf("a fifth: %+v", r)
	}
	if r := read(1); r.ReadBytes != r.Bytes || len(r.Problems) > 0 {
		t.Errorf("all: %+v", r)
	}
	for _, key := range store.Keys("data/" + db.closed()[7]) {
		store.Damage(key, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
	}
	for range 1000 {
		if r := read(0.1); len(r.Problems) == 1 {
			return
		}
	}
	t.Error("a thousand samples of a tenth did not find the flipped byte")
}
