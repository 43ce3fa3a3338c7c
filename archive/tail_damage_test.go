package archive_test

import (
	"context"
	"encoding/binary"
	"hash/adler32"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A part of the open file that was whole and is not any more is damage: the newest snapshot holds
// all of the file, and never less than the one before.
func TestDamagedTail(t *testing.T) {
	t.Parallel()
	for what, harm := range map[string]func(b []byte){
		"a bit of an entry": func(b []byte) { b[500] ^= 1 },
		"the size of one":   func(b []byte) { b[secondEntry+13] ^= 0x10 },
	} {
		t.Run(what, func(t *testing.T) {
			db := newJELog(t, 40)
			db.fill(2)
			for range 200 {
				db.write(5000)
			}
			store := storetest.Memory(t)
			db.backup(archive.New(store, archive.Options{}), plain)
			harm(db.open.Bytes)
			db.write(10, 10)
			a := archive.New(store, archive.Options{}) // another process, which reads it from the beginning
			damaged := func(what string) {
				t.Helper()
				res := db.backup(a, plain)
				if now := fileOf(t, a, 2); now.Size != int64(len(db.open.Bytes)) || !now.Damaged() || !slices.Equal(res.Damaged, []string{name(2)}) {
					t.Fatalf("%s: of %d bytes there are %d, damaged %q", what, len(db.open.Bytes), now.Size, res.Damaged)
				}
				mustRestore(t, a, res.Snapshot.Sequence, filepath.Join(t.TempDir(), "r"), db.all())
			}
			damaged("at once")
			db.write(10)
			damaged("when more was written")
			harm(db.open.Bytes) // the same bit again
			db.write(10)
			if res := db.backup(a, plain); len(res.Damaged) > 0 || fileOf(t, a, 2).Size != int64(len(db.open.Bytes)) {
				t.Fatalf("repaired: %+v", res)
			}
		})
	}
}

// An entry that stays half although the database goes on writing is no entry that is being
// written.
func TestTailThatGoesNoFurther(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 41)
	db.fill(2)
	a := archive.New(storetest.Memory(t), archive.Options{})
	db.write(100)
	db.backup(a, plain)
	at := len(db.open.Bytes)
	db.write(100)
	db.open.Bytes[at+13] ^= 0x10 // the item's size: 100 bytes and 256 MiB
	for range 3 {
		db.write(50_000, 50_000)
		db.backup(a, plain)
	}
	if f := fileOf(t, a, 2); f.Size != int64(len(db.open.Bytes)) || !f.Damaged() || *f.Check.At != int64(at) {
		t.Errorf("of %d bytes there are %d, %+v", len(db.open.Bytes), f.Size, f.Check)
	}
}

// The first entry of the newest file is damaged. As there are more behind it the database
// has begun the file: it is archived as it is.
func TestNewestWithDamagedBeginning(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 42)
	db.fill(2)
	db.write(10)
	db.open.Bytes[38+13] ^= 0x10 // the item's size
	db.write(10)
	a := archive.New(storetest.Memory(t), archive.Options{})
	res := db.backup(a, plain)
	if f := fileOf(t, a, 2); f.Size != int64(len(db.open.Bytes)) || !slices.Equal(res.Damaged, []string{name(2)}) {
		t.Fatalf("of %d bytes there are %d; damaged %q", len(db.open.Bytes), f.Size, res.Damaged)
	}
}

// The newest file is left out, with a warning, if no entry in it is whole; unless it may be one
// that the database is just beginning.
func TestNewestWithoutAnEntry(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 42)
	db.fill(2)
	db.open.Bytes[38+13] ^= 0x10
	a := archive.New(storetest.Memory(t), archive.Options{})
	db.set(2, db.open.Bytes)
	if res := db.backup(a, plain); len(res.LeftOut)+len(res.Warnings) > 0 {
		t.Fatalf("a little: %+v", res)
	}
	noise := make([]byte, 1<<20)
	db.rand.Read(noise)
	db.set(2, append(db.open.Bytes, noise...))
	if res := db.backup(a, plain); !slices.Equal(res.LeftOut, []string{name(2)}) || len(res.Warnings) != 1 {
		t.Fatalf("much: left out %q, warnings %q", res.LeftOut, res.Warnings)
	}
}

// Damage that only the next file's header showed is no longer reported when that header is gone.
func TestDamageByTheNextHeader(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 43)
	db.fill(3)
	a := archive.New(storetest.Memory(t), archive.Options{})
	good := db.content(2)
	db.rewrite(2, func(b []byte) {
		binary.LittleEndian.PutUint64(b[26:], 77)
		binary.LittleEndian.PutUint32(b, adler32.Checksum(b[4:38]))
	})
	if res := db.backup(a, plain); !slices.Equal(res.Damaged, []string{name(1)}) {
		t.Fatalf("damaged %q", res.Damaged)
	}
	db.set(2, good)
	o := options
	o.Accept = []manifest.Guard{manifest.GuardFork} // the wrong header had a correct checksum
	if res, err := a.Backup(t.Context(), db.source(plain), o); err != nil || len(res.Damaged) > 0 || !res.Committed {
		t.Errorf("repaired: %+v, %v", res, err)
	}
}

// Whole entries are missing at the end of two files in a row.
func TestChainBehindChain(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 48)
	db.fill(4)
	a := archive.New(storetest.Memory(t), archive.Options{})
	for n, size := range map[int]int64{1: secondEntry, 2: 38} {
		if err := os.Truncate(db.path(n), size); err != nil {
			t.Fatal(err)
		}
	}
	if res := db.backup(a, plain); !slices.Equal(res.Damaged, []string{name(1), name(2)}) {
		t.Errorf("damaged %q", res.Damaged)
	}
}

// The only closed file was written to in place. The tail shows that it is the same database.
func TestOnlyClosedFileChanges(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func([]byte){
		"erased":  func(b []byte) { b[secondEntry+4] = 43; clear(b[secondEntry+14 : secondEntry+114]) },
		"damaged": func(b []byte) { b[100] ^= 4 },
	} {
		t.Run(what, func(t *testing.T) {
			db := newJELog(t, 47)
			db.fill(1)
			db.write(50_000)
			a := archive.New(storetest.Memory(t), archive.Options{})
			db.backup(a, plain)
			db.rewrite(0, change)
			db.write(10)
			if res := db.backup(a, plain); len(res.Changed) != 1 || !res.Committed {
				t.Errorf("%+v", res)
			}
		})
	}
}

// steppedBack is a source that was captured before the clock was set back by an hour.
type steppedBack struct{ *source.Directory }

func (s steppedBack) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	c, err := s.Directory.Capture(ctx, want)
	if err == nil {
		c.At = c.At.Add(time.Hour)
	}
	return c, err
}

func TestClockStepsBackWhileReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := newJELog(t, 45)
		db.now = time.Now().Add(time.Hour - 30*time.Second)
		db.fill(2)
		start := time.Now()
		if _, err := archive.New(storetest.Memory(t), archive.Options{}).Backup(t.Context(), steppedBack{db.source(plain)}, options); err != nil {
			t.Fatal(err)
		}
		if w := time.Since(start); w > 3*time.Second {
			t.Errorf("it waited for %v", w)
		}
	})
}
