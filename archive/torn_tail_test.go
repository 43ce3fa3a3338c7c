package archive_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/jetest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// torn checks that the newest snapshot has all of a file that is damaged at a byte, and
// that everything that reads the snapshot reports it.
func (l *jeLog) torn(a *archive.Archive, res *archive.BackupResult, n int, at int64, state manifest.State) {
	l.t.Helper()
	f := fileOf(l.t, a, n)
	if !slices.Equal(res.Damaged, []string{name(n)}) || len(res.LeftOut) > 0 || res.Snapshot.Counts.Damaged != 1 {
		l.t.Fatalf("damaged %q, left out %q, counts %+v", res.Damaged, res.LeftOut, res.Snapshot.Counts)
	}
	if !f.Damaged() || *f.Check.At != at || f.Size != int64(len(l.content(n))) || f.State != state {
		l.t.Fatalf("%d bytes of %d, %s, %+v", f.Size, len(l.content(n)), f.State, f.Check)
	}
	if r := mustVerify(l.t, a); len(r.Damaged) != 1 || r.Damaged[0].File != name(n) {
		l.t.Fatalf("verify found %+v", r.Damaged)
	}
	back, err := a.Restore(l.t.Context(), newest(l.t, a), filepath.Join(l.t.TempDir(), "r"), archive.RestoreOptions{})
	if err != nil || !slices.Equal(back.Damaged, res.Damaged) {
		l.t.Fatalf("restore reported %q, %v", back.Damaged, err)
	}
	mustRestore(l.t, a, newest(l.t, a).Sequence, filepath.Join(l.t.TempDir(), "r"), l.all())
}

// A sector of the newest file was lost. No archive had the entries after it, and nothing reported
// that.
func TestTornTail(t *testing.T) {
	t.Parallel()
	for what, harm := range map[string]func(b []byte){
		"64 zeros":     func(b []byte) { clear(b[:64]) },
		"4 KiB zeros":  func(b []byte) { clear(b[:4096]) },
		"noise":        func(b []byte) { newJELog(t, 9).rand.Read(b[:4096]) },
		"a moved part": func(b []byte) { copy(b[:4096], b[9000:]) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			db := newJELog(t, 50)
			db.fill(2)
			for range 100 {
				db.write(300)
			}
			at := int64(len(db.open.Bytes))
			for range 100 {
				db.write(300)
			}
			harm(db.open.Bytes[at:])
			db.set(2, db.open.Bytes)
			a := archive.New(storetest.Memory(t), archive.Options{})
			db.torn(a, db.backup(a, plain), 2, at, manifest.Tail)
			if res := db.backup(a, plain); res.Committed || !slices.Equal(res.Damaged, []string{name(2)}) {
				t.Fatalf("with nothing new: %+v", res)
			}

			// The database goes on writing behind the damage: what is new is stored.
			db.write(700)
			res := db.backup(a, plain)
			if db.torn(a, res, 2, at, manifest.Tail); res.SentBytes != 14+700 {
				t.Errorf("%d bytes were sent", res.SentBytes)
			}
			db.flip()
			db.torn(a, db.backup(a, plain), 2, at, manifest.Closed)
		})
	}
}

// A database that starts drops what follows the last whole entry, and goes on there. That
// ends the damage, however far it has come by the next snapshot.
func TestTornTailThatIsRepaired(t *testing.T) {
	t.Parallel()
	for what, sizes := range map[string][]int{
		"at once":        nil,
		"shorter":        {100},
		"longer":         {50_000},
		"half an entry":  {9000, 70_000},
		"the same bytes": {2000 - 14},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			db := newJELog(t, 51)
			db.fill(1)
			db.write(500, 500)
			sound := *db.open
			sound.Bytes = slices.Clone(sound.Bytes)
			db.write(2000, 2000, 2000, 2000, 2000)
			at := len(sound.Bytes)
			clear(db.open.Bytes[at+10 : at+3000])
			db.set(1, db.open.Bytes)
			a := archive.New(storetest.Memory(t), archive.Options{})
			db.torn(a, db.backup(a, plain), 1, int64(at), manifest.Tail)

			db.open = &sound
			db.write(sizes...)
			whole := len(db.open.Bytes)
			if what == "half an entry" {
				whole -= 70_000 + 14
				db.set(1, db.open.Bytes[:whole+20_000])
			}
			res := db.backup(a, plain)
			if f := fileOf(t, a, 1); len(res.Damaged) > 0 || f.Damaged() || f.Size != int64(whole) {
				t.Fatalf("damaged %q, %d bytes of %d", res.Damaged, f.Size, whole)
			}
			db.set(1, db.open.Bytes)
			db.write(100)
			if res := db.backup(a, plain); len(res.Damaged) > 0 {
				t.Fatalf("damaged %q", res.Damaged)
			}
			mustRestore(t, a, newest(t, a).Sequence, filepath.Join(t.TempDir(), "r"), db.all())
		})
	}
}

// A file whose header is damaged has entries behind it: it is archived as it is, and not
// left out.
func TestTornTailWithoutAHeader(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 52)
	db.fill(2)
	for range 30 {
		db.write(300)
	}
	clear(db.open.Bytes[:4096])
	db.set(2, db.open.Bytes)
	a := archive.New(storetest.Memory(t), archive.Options{})
	db.torn(a, db.backup(a, plain), 2, 0, manifest.Tail)
	if f := fileOf(t, a, 1); f.State != manifest.Closed {
		t.Errorf("the file before it is %s", f.State)
	}
}

// lateSource is a source in whose newest file a stretch cannot be seen before some reads of it,
// as where the pages of a file are written out of order.
type lateSource struct {
	*source.Directory
	name     string
	from, to int64
	reads    atomic.Int64 // how often it cannot be seen yet
}

func (s *lateSource) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	c, err := s.Directory.Capture(ctx, want)
	if err != nil {
		return nil, err
	}
	return source.NewCapture(c.Files, c.At, func(f source.File) (source.Content, error) {
		content, err := c.Open(f.Name)
		if f.Name == s.name && err == nil {
			content = &lateContent{content, s}
		}
		return content, err
	}), nil
}

type lateContent struct {
	source.Content
	s *lateSource
}

func (c *lateContent) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.Content.ReadAt(b, at)
	if from, to := max(c.s.from-at, 0), min(c.s.to-at, int64(n)); from < to && c.s.reads.Add(-1) >= 0 {
		clear(b[from:to])
	}
	return n, err
}

// Bytes that appear on a second reading were being written, and are no damage.
func TestTailWrittenOutOfOrder(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 53)
	db.fill(1)
	for range 40 {
		db.write(300)
	}
	from := int64(len(db.open.Bytes))
	for range 40 {
		db.write(300)
	}
	for reads, damaged := range map[int64]bool{0: false, 3: false, 1000: true} {
		src := &lateSource{Directory: db.source(plain), name: name(1), from: from, to: from + 4096}
		src.reads.Store(reads)
		a := archive.New(storetest.Memory(t), archive.Options{})
		res, err := a.Backup(t.Context(), src, options)
		if err != nil {
			t.Fatal(err)
		}
		f := fileOf(t, a, 1)
		if f.Damaged() != damaged || len(res.Damaged) > 0 != damaged || f.Size != int64(len(db.open.Bytes)) {
			t.Errorf("after %d reads: %d bytes, %+v", reads, f.Size, f.Check)
		}
	}
}

// The same with a real JE's closed files: 4 KiB of zeros at one third of its last file, and JE's
// reaction when it starts again.
func TestTornJE(t *testing.T) {
	t.Parallel()
	env := &jeLog{t: t, dir: filepath.Join(t.TempDir(), "env")}
	c := &crashed{env, archive.New(storetest.Memory(t), archive.Options{})}
	jetest.Write(t, c.dir, 16_000, 1)
	c.last = c.newest()
	sound := c.whole(c.last)
	if sound != c.size(c.last) || sound < 100_000 {
		t.Fatalf("JE left %d bytes, %d of them in whole entries", c.size(c.last), sound)
	}
	third := c.size(c.last) / 3
	c.rewrite(c.last, func(b []byte) { clear(b[third : third+4096]) })
	at := c.whole(c.last)
	res := c.backup(c.archive, plain)
	c.torn(c.archive, res, c.last, at, manifest.Tail)

	if _, err := jetest.Open(t, c.dir); err != nil {
		t.Logf("JE does not open it: %v", err)
		return
	}
	c.last = c.newest()
	if res := c.backup(c.archive, plain); len(res.Damaged) > 0 {
		t.Errorf("JE has dropped what was damaged, and damaged are %q: %+v", res.Damaged, fileOf(t, c.archive, c.last).Check)
	}
	mustVerify(t, c.archive)
}
