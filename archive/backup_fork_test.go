package archive_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Two histories in one archive push each other out under a retention. So each kind of fork stops the backup before
// anything is written, names the file, and keeps the other history once it is accepted.
func TestForks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what  string
		files int                  // closed files before the first snapshot
		fork  func(l, twin *jeLog) // the twin is a clone as of the first snapshot; l goes on in the archive
		file  int
		since string
	}{
		{"the twin's tail has other entries", 3, func(l, twin *jeLog) { twin.write(300, 20) }, 3, "from snapshot 2 on"},
		{"the twin's tail is closed since", 3, func(l, twin *jeLog) { twin.write(300); twin.fill(2) }, 3, "from snapshot 2 on"},
		{"the twin is far ahead", 3, func(l, twin *jeLog) { twin.fill(9) }, 3, "from snapshot 2 on"},
		{"entries of the same sizes", 3, func(l, twin *jeLog) { twin.write(500, 500) }, 3, "from snapshot 2 on"},
		{"files in a bundle", 30, func(l, twin *jeLog) { twin.write(70) }, 30, "from snapshot 2 on"},
		{"a closed file with other entries", 3, func(l, twin *jeLog) {
			twin.set(3, l.content(3)) // the tail itself is right
			other := entriestest.NewJE(jeVersion, 1, 0)
			other.Add(entriestest.JERecord, make([]byte, 10))
			twin.set(1, other.Bytes)
		}, 1, "from snapshot 1 on"},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			l := newJELog(t, 60)
			l.fill(test.files)
			l.write(400)
			store := storetest.Memory(t)
			a := archive.New(store, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
			l.backup(a, plain)
			twin := l.clone(61)
			l.write(500, 500)
			l.backup(a, plain)
			test.fork(l, twin)

			// On the same host, in another directory, and on another host with local state of its own.
			for _, state := range []string{"", t.TempDir()} {
				b := a
				if state != "" {
					b = archive.New(store, archive.Options{State: &archive.LocalState{Dir: state}})
				}
				refusesFork(t, store, b, twin, name(test.file), test.since)
			}
			acceptsFork(t, a, twin, manifest.GuardFork)
			if res := twin.backup(a, plain); res.Committed || len(res.Warnings) > 0 {
				t.Errorf("the next run: committed %v, warnings %q", res.Committed, res.Warnings)
			}
			if _, err := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}}); err != nil {
				t.Fatal(err)
			}
			mustRestore(t, a, 2, t.TempDir()+"/r", l.all())
			// It is not followed without a word, also where the base's file is damaged and cannot be compared.
			res, err := a.Backup(t.Context(), l.source(plain), options)
			if !errors.As(err, new(*archive.Refusal)) && len(res.Warnings) == 0 {
				t.Errorf("the other history is not refused: %v", err)
			}
		})
	}
}

// Of a fork in a bundle, the closed files that differ are compared too, whether they are archived plain, compressed or
// encrypted, and whether this host can read them.
func TestForkedBundles(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	for how, o := range settingsOf(t, id) {
		for _, canRead := range []bool{true, false} {
			t.Run(how, func(t *testing.T) {
				t.Parallel()
				o := o
				if !canRead {
					o.Decoder = nil
				}
				o.State = &archive.LocalState{Dir: t.TempDir()}
				l := newJELog(t, 62)
				store := storetest.Memory(t)
				l.fill(20)
				twin := l.clone(63)
				l.fill(5)
				twin.fill(5)
				l.backup(archive.New(store, o), plain)
				refusesFork(t, store, archive.New(store, o), twin, name(20), "from snapshot 1 on")

				l.rewrite(7, func(b []byte) { b[secondEntry+5] |= 0x10 })
				l.rewrite(9, eraseSecond)
				if res := goesOnQuietly(t, archive.New(store, o), l); len(res.Changed) != 2 {
					t.Errorf("changed %+v", res.Changed)
				}
			})
		}
	}
}

// What the database changes in place is no fork, and no power loss either: in closed files and in the tail, when it is
// done and when a power loss undoes it. A sound database must not be stopped.
func TestChangesInPlaceContinue(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(b []byte){
		"invisible": func(b []byte) { b[secondEntry+5] ^= 0x10 },
		"erased":    eraseSecond,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			l := newJELog(t, 64)
			l.fill(3)
			l.write(200, 900)
			store := storetest.Memory(t)
			o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
			l.backup(archive.New(store, o), plain)
			before := l.all()
			for _, n := range []int{1, 3} {
				b := l.content(n)
				change(b)
				l.set(n, b)
			}
			copy(l.open.Bytes, l.content(3))
			l.write(30)
			goesOnQuietly(t, archive.New(store, o), l)
			l.set(1, before[name(1)])
			copy(l.open.Bytes, before[name(3)])
			l.write(30)
			goesOnQuietly(t, archive.New(store, o), l)
			mustVerify(t, archive.New(store, o))
		})
	}
}

// eraseSecond does to the second entry of a file what JE's eraser does.
func eraseSecond(b []byte) {
	size := binary.LittleEndian.Uint32(b[secondEntry+10:])
	b[secondEntry+4] = entriestest.JEErased
	clear(b[secondEntry+14:][:size])
}

// A restored database that goes on in its tail has the archived beginning in another file. If it was restored to the
// newest snapshot, it continues the archive; to an older one, it is a fork.
func TestRestoredInPlace(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 66)
	l.fill(3)
	l.write(400)
	st := storetest.Memory(t)
	a := archive.New(st, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
	l.backup(a, plain)
	older, short := l.clone(67), cloneLog(l.open)
	l.write(300)
	l.backup(a, plain)

	l.replaceBy(l.clone(68).dir)
	l.write(90)
	goesOnQuietly(t, a, l)

	l.replaceBy(older.dir)
	l.open = short
	l.write(90)
	refusesFork(t, st, a, l, name(3), "it is another file than then")
}

// An operator who accepts that the source was rolled back accepts what the database has written since, too. A file in
// the middle of the log that differs does not follow from a rollback.
func TestAcceptedRollbackCoversItsFork(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 69)
	l.fill(3)
	l.write(400)
	older := l.clone(70)
	l.fill(6)
	st := storetest.Memory(t)
	a := archive.New(st, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
	l.backup(a, plain)
	older.write(50)
	older.fill(2)
	if _, err := a.Backup(t.Context(), older.source(plain), options); !errors.Is(err, archive.ErrRolledBack) {
		t.Fatal(err)
	}
	spoilt := older.clone(71)
	other := entriestest.NewJE(jeVersion, 1, 0)
	other.Add(entriestest.JERecord, []byte("another entry"))
	spoilt.set(1, other.Bytes)
	o := options
	o.Accept = []manifest.Guard{manifest.GuardRollback}
	if _, err := a.Backup(t.Context(), spoilt.source(plain), o); !errors.Is(err, archive.ErrForked) {
		t.Fatalf("a file before the rollback differs: %v", err)
	}
	acceptsFork(t, a, older, manifest.GuardRollback)
}

// An operator who rolled the database back, and accepted that, must not be led to search for a power loss.
func TestAcceptedRollbackIsReportedAsOne(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 77)
	l.fill(6)
	l.write(40)
	a := archive.New(storetest.Memory(t), archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
	l.backup(a, plain)
	files, err := filepath.Glob(filepath.Join(l.dir, "*.jdb"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files[4:] {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	o := options
	o.Accept = []manifest.Guard{manifest.GuardRollback}
	res, err := a.Backup(t.Context(), l.source(plain), o)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(res.Warnings, "\n")
	if strings.Contains(all, "power loss") || !strings.Contains(all, "by the rollback that was accepted") {
		t.Errorf("%q", all)
	}
}

// A confirmation accepts a fork once, for the state of the archive in which it was found.
func TestForkIsConfirmedOnce(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 72)
	l.fill(2)
	st := storetest.Memory(t)
	a := archive.New(st, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
	l.backup(a, plain)
	twin := l.clone(73)
	l.write(10)
	l.backup(a, plain)
	twin.write(20)
	_, err := a.Backup(t.Context(), twin.source(plain), options)
	r, ok := errors.AsType[*archive.Refusal](err)
	if !ok {
		t.Fatal(err)
	}
	c, err := archive.ParseConfirmation(r.Confirmation.String())
	if err != nil {
		t.Fatal(err)
	}
	o := options
	o.Confirmed = []archive.Confirmation{c}
	if _, err := a.Backup(t.Context(), twin.source(plain), o); err != nil {
		t.Fatal(err)
	}
	l.write(30)
	if _, err := a.Backup(t.Context(), l.source(plain), o); !errors.Is(err, archive.ErrForked) {
		t.Errorf("the confirmation was used twice: %v", err)
	}
}

// Where a layout checks no entries, or the parent's entry was damaged, nothing shows why the beginning of a tail
// differs. The backup goes on, and warns.
func TestIncomparableTails(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		o       source.LayoutOptions
		harm    func(l *jeLog)
		message string
	}{
		"no entry check": {source.LayoutOptions{NoEntries: true}, func(*jeLog) {}, "its entries are not checked"},
		"damaged before": {plain, func(l *jeLog) {
			l.open.Bytes[secondEntry+20] ^= 1
			l.set(2, l.open.Bytes)
		}, "it was damaged then"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			l := newJELog(t, 76)
			l.fill(2)
			short := cloneLog(l.open)
			l.write(300, 300)
			test.harm(l)
			a := archive.New(storetest.Memory(t), archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
			l.backup(a, test.o)
			l.open = short
			l.write(900)
			res := l.backup(a, test.o)
			if !res.Committed || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], test.message) {
				t.Errorf("committed %v, warnings %q", res.Committed, res.Warnings)
			}
		})
	}
}

// A readCounter counts the reads of data.
type readCounter struct {
	store.Store
	reads atomic.Int64
}

func (c *readCounter) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasPrefix(key, manifest.DataPrefix) || strings.HasPrefix(key, manifest.BundlesPrefix) {
		c.reads.Add(1)
	}
	return c.Store.Get(ctx, key, offset, length)
}

// Ordinary backups read nothing back: not for a tail that grew or was closed, nor for files that were touched or moved.
// A backup every few seconds must not cost a download.
func TestOrdinaryBackupsReadNothingBack(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 77)
	l.fill(25)
	l.write(400)
	c := &readCounter{Store: storetest.Memory(t)}
	o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
	a := archive.New(c, o)
	l.backup(a, plain)
	for range 3 {
		l.write(300)
		goesOnQuietly(t, a, l)
		l.fill(2)
		goesOnQuietly(t, archive.New(c, o), l)
	}
	for n := range 20 {
		l.set(n, l.content(n)) // another time, the same content
	}
	if res := goesOnQuietly(t, archive.New(c, o), l); len(res.Changed) > 0 || res.Sent > 0 {
		t.Errorf("touched files: changed %+v, sent %d", res.Changed, res.Sent)
	}
	moved := l.clone(78)
	moved.write(10)
	goesOnQuietly(t, archive.New(c, o), moved)
	if n := c.reads.Load(); n > 0 {
		t.Errorf("%d reads of archived data", n)
	}
	mustVerify(t, archive.New(c, o))
}

// A tail that closes with the content that the base has of it is recorded as closed, or it would not count as archived.
func TestTailThatClosesAsItIs(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 77)
	l.fill(3)
	l.write(400)
	st := storetest.Memory(t)
	l.backup(archive.New(st, archive.Options{}), plain)
	l.set(3, l.open.Bytes) // with another time
	l.flip()
	a := archive.New(st, archive.Options{}) // another process
	l.backup(a, plain)
	for n, want := range []manifest.State{manifest.Closed, manifest.Closed, manifest.Closed, manifest.Closed, manifest.Tail} {
		if f := fileOf(t, a, n); f.State != want {
			t.Errorf("%s is %s, not %s", f.Name, f.State, want)
		}
	}
}

// The newest manifest cannot be read, and nothing has its hash. Only a backup ends that, so an accepted fork needs no hold
// first. The last snapshot of the other history is held once the new one exists.
func TestForkBesideAnUnreadableManifest(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 81)
	l.fill(2)
	l.write(100)
	st := storetest.Memory(t)
	a := archive.New(st, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
	l.backup(a, plain)
	twin := l.clone(82)
	l.write(200)
	l.backup(a, plain)
	l.write(200)
	l.backup(a, plain)
	st.Damage(manifest.ManifestKey(3), func(b []byte) []byte { return b[:len(b)/2] })
	twin.write(300)
	o := options
	o.Accept = []manifest.Guard{manifest.GuardFork}
	other := archive.New(st, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
	res, err := other.Backup(t.Context(), twin.source(plain), o)
	if err != nil || !res.Committed || res.Snapshot.Sequence != 4 {
		t.Fatalf("%+v, %v", res, err)
	}
	if m := newest(t, other); m.ForkedFrom == nil || isHeld(t, other, 2) == "" {
		t.Errorf("snapshot 2 is not held; warnings %q", res.Warnings)
	}
}

// The same for a database that lost the end of its log: the hold is tried again after the commit.
func TestRewoundBesideAnUnreadableManifest(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 86)
	l.fill(2)
	l.write(100)
	short := cloneLog(l.open)
	l.write(200)
	st := storetest.Memory(t)
	a := archive.New(st, archive.Options{})
	l.backup(a, plain)
	l.write(200)
	l.backup(a, plain)
	st.Damage(manifest.ManifestKey(2), func(b []byte) []byte { return b[:len(b)/2] })
	l.open = short
	l.write(50)
	res := l.backup(archive.New(st, archive.Options{}), plain)
	if m := newest(t, a); !res.Committed || m.RewoundFrom == nil || isHeld(t, a, 1) == "" {
		t.Errorf("rewound from %v; warnings %q", m.RewoundFrom, res.Warnings)
	}
}

// deniesData is a store that denies reading content, as an archive tier or a policy may.
type deniesData struct{ *storetest.InMemory }

func (d deniesData) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasPrefix(key, manifest.DataPrefix) || strings.HasPrefix(key, manifest.BundlesPrefix) {
		return nil, fmt.Errorf("reading %s: 403: %w", key, fs.ErrPermission)
	}
	return d.InMemory.Get(ctx, key, offset, length)
}

// A host that may not read content still distinguishes changes in place from forks, by the numbers of the entry check.
func TestForkIsFoundWithoutPermissionToRead(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 83)
	st := storetest.Memory(t)
	l.fill(5)
	twin := l.clone(84)
	l.fill(2)
	twin.fill(2)
	a := archive.New(deniesData{st}, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
	l.backup(a, plain)
	refusesFork(t, st, a, twin, name(5), "from snapshot 1 on")
	l.rewrite(2, eraseSecond)
	goesOnQuietly(t, a, l)
}

// A configuration that leaves the tail out from now on is neither a power loss nor a fork.
func TestTailLeftOutIsNoPowerLoss(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"", t.TempDir()} {
		l := newJELog(t, 85)
		l.fill(3)
		l.write(400)
		o := archive.Options{}
		if state != "" {
			o.State = &archive.LocalState{Dir: state}
		}
		a := archive.New(storetest.Memory(t), o)
		l.backup(a, plain)
		without := plain
		without.NoTail = true
		if res := l.backup(a, without); !res.Committed {
			t.Fatalf("%+v", res)
		}
		if m := newest(t, a); m.RewoundFrom != nil || m.ForkedFrom != nil {
			t.Errorf("rewound from %v, forked from %v", m.RewoundFrom, m.ForkedFrom)
		}
	}
}
