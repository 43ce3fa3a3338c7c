package archive_test

import (
	"encoding/binary"
	"hash/adler32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

var plain = source.LayoutOptions{}

// The second entry of a file with the entries of jeLog.fill begins after its header and
// the entry that flip writes.
const secondEntry = 38 + 14 + 10

// Files that were archived without a check are read once more as soon as there is one,
// and then no more.
func TestCheckedAfterwards(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 1)
	db.fill(4)
	db.rewrite(1, func(b []byte) { b[secondEntry+20] ^= 1 })
	a := archive.New(storetest.Memory(t), archive.Options{})
	if res := db.backup(a, source.LayoutOptions{NoEntries: true}); len(res.Damaged) > 0 || fileOf(t, a, 1).Check != nil {
		t.Fatalf("without a check: %+v", res)
	}
	res := db.backup(a, plain)
	if !res.Committed || !slices.Equal(res.Damaged, []string{name(1)}) || res.SentBytes > 0 || len(res.Changed) > 0 {
		t.Fatalf("with a check: %+v", res)
	}
	if f := fileOf(t, a, 2); f.Check == nil || f.Snapshot != 1 {
		t.Fatalf("%+v", f)
	}
	if again := db.backup(a, plain); again.Committed || len(again.Plan.Upload) > 0 || !slices.Equal(again.Damaged, res.Damaged) {
		t.Fatalf("afterwards: %+v", again)
	}
}

// A log version that is not known yet is no reason to read the file again and again.
func TestUnknownVersionIsReadOnce(t *testing.T) {
	t.Parallel()
	db := newJELogOf(t, 99, 1)
	db.fill(4)
	a := archive.New(storetest.Memory(t), archive.Options{})
	if res := db.backup(a, plain); len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "log version 99, which this program does not support") {
		t.Fatalf("%+v", res)
	}
	if again := db.backup(a, plain); again.Committed || len(again.Plan.Upload) > 0 {
		t.Fatalf("%+v", again)
	}
}

// Damage in the source is archived as it is, and reported again by every operation that reads it;
// alone or in a bundle.
func TestDamageIsArchivedAndSaid(t *testing.T) {
	t.Parallel()
	for what, files := range map[string]int{"alone": 3, "in a bundle": 30} {
		t.Run(what, func(t *testing.T) {
			db := newJELog(t, 1)
			db.fill(files)
			db.rewrite(1, func(b []byte) { b[secondEntry+20] ^= 1 })
			a := archive.New(storetest.Memory(t), archive.Options{})
			res := db.backup(a, plain)
			if !slices.Equal(res.Damaged, []string{name(1)}) || res.Snapshot.Counts.Damaged != 1 || !res.Committed {
				t.Fatalf("damaged %q, counts %+v", res.Damaged, res.Snapshot.Counts)
			}
			c := fileOf(t, a, 1).Check
			if c == nil || c.By != "je" || c.Result != manifest.CheckDamaged || *c.At != secondEntry || c.Entries != 2 || !strings.Contains(c.Why, "checksum") {
				t.Fatalf("check: %+v", c)
			}
			if c := fileOf(t, a, 2).Check; c == nil || c.Result != manifest.CheckOK || c.Entries != 5 {
				t.Fatalf("check of another: %+v", c)
			}
			if again := db.backup(a, plain); again.Committed || !slices.Equal(again.Damaged, res.Damaged) {
				t.Fatalf("with nothing new: %+v", again)
			}
			if r := mustVerify(t, a); len(r.Damaged) != 1 || r.Damaged[0].File != res.Damaged[0] || !slices.Equal(r.Damaged[0].Snapshots, []int64{res.Snapshot.Sequence}) {
				t.Fatalf("verify reports %+v", r.Damaged)
			}
			back, err := a.Restore(t.Context(), newest(t, a), filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{})
			if err != nil || !slices.Equal(back.Damaged, res.Damaged) {
				t.Fatalf("restore reports %q, %v", back.Damaged, err)
			}
			mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), db.all())
		})
	}
}

// Only whole entries of the tail are archived, each once.
func TestTailEndsWithAWholeEntry(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 2)
	db.fill(2)
	db.write(100_000, 300_000) // an entry larger than what is read at a time
	whole := len(db.open.Bytes)
	db.write(5000)
	db.set(2, db.open.Bytes[:whole+3000])
	store := storetest.Memory(t)
	progress := &archive.Progress{}
	a := archive.New(store, archive.Options{Progress: progress})
	db.backup(a, plain)
	f := fileOf(t, a, 2)
	if f.State != manifest.Tail || f.Size != int64(whole) || f.Check == nil || f.Check.Result != manifest.CheckOK || f.Check.Entries != 4 {
		t.Fatalf("the tail of %d bytes: %+v, %+v", whole, f, f.Check)
	}
	if p := newest(t, a).ConsistentThrough; p.Name != name(2) || p.Size != int64(whole) {
		t.Fatalf("consistent through %+v", p)
	}

	// Half an entry more is nothing new.
	db.set(2, db.open.Bytes[:whole+4000])
	if res := db.backup(a, plain); res.Committed || res.SentBytes > 0 {
		t.Fatalf("half an entry made a snapshot: %+v", res)
	}

	// The rest of it is; this process reads nothing else again but the end, another reads all.
	for _, tt := range []struct {
		a       *archive.Archive
		atMost  int64
		atLeast int64
	}{
		{a, 1<<17 - 1, 1000},
		{archive.New(store, archive.Options{Progress: progress}), 1 << 30, int64(whole)},
	} {
		db.write(700)
		before, size := fileOf(t, tt.a, 2).Size, int64(len(db.open.Bytes))
		hashed := progress.Hashed.Load()
		res := db.backup(tt.a, plain)
		if res.SentBytes != size-before {
			t.Errorf("%d bytes are new, and %d were sent", size-before, res.SentBytes)
		}
		if read := progress.Hashed.Load() - hashed; read > tt.atMost || read < tt.atLeast {
			t.Errorf("%d bytes are new, and %d were read", size-before, read)
		}
		if f := fileOf(t, tt.a, 2); f.Size != size {
			t.Errorf("%d bytes of %d are there", f.Size, size)
		}
	}
	n := newest(t, a).Sequence
	mustRestore(t, a, n, filepath.Join(t.TempDir(), "r"), db.all())
	mustVerify(t, a)
}

// A file that was cut back by a crash, and has grown beyond its old length since, is read again
// also by a process that had read it before.
func TestTailThatWentBack(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 3)
	db.write(1000, 1000)
	short := *db.open
	short.Bytes = slices.Clone(short.Bytes)
	db.write(2000)
	a := archive.New(storetest.Memory(t), archive.Options{})
	db.backup(a, plain)
	db.open = &short
	db.write(1000, 1000, 1000)
	res := db.backup(a, plain)
	if f := fileOf(t, a, 0); len(f.Parts) != 1 || res.SentBytes != int64(len(db.open.Bytes)) {
		t.Fatalf("sent %d bytes, %d parts", res.SentBytes, len(f.Parts))
	}
	mustRestore(t, a, 2, filepath.Join(t.TempDir(), "r"), db.all())
}

// Bytes that are no entry end a tail, and are spoken of.
func TestTailWithOddEnd(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 4)
	db.write(500)
	whole := len(db.open.Bytes)
	db.set(0, append(slices.Clone(db.open.Bytes), make([]byte, 3000)...))
	a := archive.New(storetest.Memory(t), archive.Options{})
	res := db.backup(a, plain)
	if f := fileOf(t, a, 0); f.Size != int64(whole) || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "no entry") || len(res.Damaged) > 0 {
		t.Fatalf("%d bytes, warnings %q, damaged %q", f.Size, res.Warnings, res.Damaged)
	}
}

// A file that was cut at the end of an entry appears whole by itself. The next file shows the cut,
// also when the two were archived one after the other.
func TestChainShowsMissingEntries(t *testing.T) {
	t.Parallel() // it waits for files to be left alone
	for what, o := range map[string]source.LayoutOptions{"at once": plain, "later": {NoTail: true}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			db := newJELog(t, 5)
			db.fill(2)
			db.rewrite(1, func([]byte) {})
			if err := os.Truncate(db.path(1), secondEntry); err != nil {
				t.Fatal(err)
			}
			a := archive.New(storetest.Memory(t), archive.Options{})
			first := db.backup(a, o)
			if later := o.NoTail; later != (len(first.Damaged) == 0) {
				t.Fatalf("damaged %q", first.Damaged)
			}
			db.fill(1)
			res := db.backup(a, o)
			if c := fileOf(t, a, 1).Check; !slices.Equal(res.Damaged, []string{name(1)}) || *c.At != 38 || !strings.Contains(c.Why, name(2)) {
				t.Fatalf("damaged %q, check %+v", res.Damaged, c)
			}
			mustVerify(t, a)
		})
	}
}

// A closed file that is written to in place is noticed by its change time, when its size and
// modification time are as they were. A new process notices it by the local state of this host. The
// file's entries show the kind of change.
func TestKindsOfChange(t *testing.T) {
	t.Parallel()
	erase := func(b []byte) {
		b[secondEntry+4] = entriestest.JEErased
		clear(b[secondEntry+14 : secondEntry+14+100])
	}
	invisible := func(b []byte) { b[secondEntry+5] |= 0x10 }
	for _, tt := range []struct {
		kind   string
		change func(b []byte)
	}{
		{archive.ChangedErased, erase},
		{archive.ChangedInvisible, invisible},
		{archive.ChangedBoth, func(b []byte) { erase(b); b[38+5] |= 0x10 }},
		{archive.ChangedDamage, func(b []byte) { b[100] ^= 4 }},
		{archive.ChangedOther, func(b []byte) {
			copy(b[secondEntry+14:], "something else")
			end := secondEntry + 14 + 100
			binary.LittleEndian.PutUint32(b[secondEntry:], adler32.Checksum(b[secondEntry+4:end]))
		}},
	} {
		for _, process := range []string{"same", "new"} {
			t.Run(tt.kind+", "+process+" process", func(t *testing.T) {
				db := newJELog(t, 6)
				db.fill(3)
				store := storetest.Memory(t)
				with := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
				a := archive.New(store, with)
				db.backup(a, plain)
				before := db.all()
				db.rewrite(1, tt.change)
				if process == "new" {
					a = archive.New(store, with)
				}
				o := options
				if tt.kind == archive.ChangedOther { // no database writes that
					o.Accept = []manifest.Guard{manifest.GuardFork}
				}
				res, err := a.Backup(t.Context(), db.source(plain), o)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(res.Changed, []archive.Changed{{Name: name(1), Kind: tt.kind}}) || res.Snapshot.Counts.Changed != 1 {
					t.Fatalf("changed %+v, counts %+v", res.Changed, res.Snapshot.Counts)
				}
				if damage := tt.kind == archive.ChangedDamage; damage != (len(res.Damaged) == 1) {
					t.Fatalf("damaged %q", res.Damaged)
				}
				mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), before)
				mustRestore(t, a, 2, filepath.Join(t.TempDir(), "r"), db.all())
				if again := db.backup(a, plain); again.Committed || len(again.Plan.Upload) > 0 {
					t.Fatalf("and again: %+v", again.Plan.Upload)
				}
			})
		}
	}
}

// A link to a file changes its change time and nothing else: it is not read again. A file that was
// touched without a change is read once, and makes no snapshot.
func TestHarmlessChangeTimes(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 7)
	db.fill(3)
	store := storetest.Memory(t)
	o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
	db.backup(archive.New(store, o), plain)
	if err := os.Link(db.path(1), filepath.Join(t.TempDir(), "link")); err != nil {
		t.Skipf("no hard links here: %v", err)
	}
	if res := db.backup(archive.New(store, o), plain); len(res.Plan.Upload) > 0 {
		t.Fatalf("a link has %s read again", res.Plan.Upload[0].Name)
	}
	if err := os.Chmod(db.path(1), 0o600); err != nil {
		t.Fatal(err)
	}
	if res := db.backup(archive.New(store, o), plain); len(res.Plan.Upload) != 1 || res.Committed || len(res.Changed) > 0 {
		t.Fatalf("another mode: %+v", res)
	}
	if res := db.backup(archive.New(store, o), plain); len(res.Plan.Upload) > 0 {
		t.Fatalf("after that: %+v", res)
	}
}

// A log version that is not known is archived without a check, by the numbers.
func TestUnknownLogVersion(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 8)
	for n := range 3 {
		l := entriestest.NewJE(99, uint32(n), 0)
		l.Add(entriestest.JERecord, []byte("of the future"))
		db.set(n, l.Bytes)
	}
	db.last = 2
	a := archive.New(storetest.Memory(t), archive.Options{})
	res := db.backup(a, plain)
	if len(res.Damaged) > 0 || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "version 99") {
		t.Fatalf("damaged %q, warnings %q", res.Damaged, res.Warnings)
	}
	for n, want := range []manifest.State{manifest.Closed, manifest.Closed, manifest.Tail} {
		if f := fileOf(t, a, n); f.Check != nil || f.State != want {
			t.Fatalf("%s: %s, %+v", f.Name, f.State, f.Check)
		}
	}
	mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), db.all())
}

// A closed file is not trusted to stand still before it is two seconds old.
func TestYoungFilesWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := newJELog(t, 9)
		db.now = time.Now().Add(-time.Hour)
		db.fill(2)
		a := archive.New(storetest.Memory(t), archive.Options{})
		start := time.Now()
		db.backup(a, plain)
		if waited := time.Since(start); waited > 0 {
			t.Fatalf("old files waited %v", waited)
		}
		db.now = start.Add(-2 * time.Second) // the next is one second old
		db.fill(1)
		go func() { // during the wait, another process writes to it and puts its time back
			time.Sleep(500 * time.Millisecond)
			db.rewrite(2, func(b []byte) { b[len(b)-1] ^= 1 })
		}()
		res := db.backup(a, plain)
		if waited := time.Since(start); waited < time.Second {
			t.Errorf("a young file waited %v", waited)
		}
		if !slices.Equal(res.Damaged, []string{name(2)}) {
			t.Errorf("what was written during the wait was not read: %q", res.Damaged)
		}
		mustRestore(t, a, 2, filepath.Join(t.TempDir(), "r"), db.all())

		// From the future: all of them wait once.
		db.now = time.Now().Add(time.Hour)
		db.fill(40)
		start = time.Now()
		db.backup(a, plain)
		if waited := time.Since(start); waited > 2*time.Second {
			t.Errorf("files from the future waited %v", waited)
		}
	})
}

// A large log file, of 1 GiB at full size, that grows by 1 MiB between two snapshots costs
// 1 MiB to send, and no more to read.
func TestLargeTailCostsWhatIsNew(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes 64 MiB")
	}
	soaktest.Rounds(t, 0, 1, func(t *testing.T, _ uint64) { growLargeTail(t) })
}

func growLargeTail(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	f, err := os.Create(filepath.Join(dir, name(0)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log, random, item := entriestest.NewJE(jeVersion, 0, 0), rand.NewChaCha8([32]byte{10}), make([]byte, 1<<20)
	grow := func(entries int) {
		for range entries {
			random.Read(item)
			log.Add(entriestest.JERecord, item)
			if _, err := f.Write(log.Flush()); err != nil {
				t.Fatal(err)
			}
		}
	}
	db := &jeLog{t: t, dir: dir}
	store := openBucket(t, "file://"+to, 0)
	progress := &archive.Progress{}
	a := archive.New(store, archive.Options{Progress: progress})
	grow(int(storetest.LargeFile(t) >> 20))
	db.backup(a, plain)
	for range 10 {
		grow(1)
		hashed, start := progress.Hashed.Load(), time.Now()
		res := db.backup(a, plain)
		read := progress.Hashed.Load() - hashed
		t.Logf("sent %d, read %d, in %v", res.SentBytes, read, time.Since(start))
		if res.SentBytes != 1<<20+14 || read > 1<<20+256<<10 {
			t.Errorf("sent %d bytes and read %d", res.SentBytes, read)
		}
	}
	mustVerify(t, archive.New(store, archive.Options{}))
}
