package archive_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func allFiles(t tb, dir string) *source.Directory {
	t.Helper()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "files", Pattern: ".*", Quiet: time.Second})
	if err != nil {
		t.Fatalf("%v", err)
	}
	src, err := source.Open(dir, layout)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return src
}

// A source that cannot be the continuation of the archive is refused before anything is written,
// and accepted if the user confirms it.
func TestGuards(t *testing.T) {
	t.Parallel()
	accept := func(o archive.BackupOptions) archive.BackupOptions {
		o.Accept = append(o.Accept, manifest.GuardRollback)
		return o
	}
	takeOver := func(o archive.BackupOptions) archive.BackupOptions {
		o.Accept = append(o.Accept, manifest.GuardTakeOver)
		return o
	}
	none := func(o archive.BackupOptions) archive.BackupOptions { return o }
	for _, tt := range []struct {
		name   string
		change func(d *database)
		with   func(archive.BackupOptions) archive.BackupOptions
		want   error
		yes    func(archive.BackupOptions) archive.BackupOptions // nil: there is no going on
	}{
		{"empty", func(d *database) {
			for _, n := range append(d.closed(), name(d.last)) {
				d.remove(n)
			}
		}, none, archive.ErrEmptySource, nil},
		{"rolled back", func(d *database) { d.remove(name(d.last)); d.remove(name(d.last - 1)) }, none, archive.ErrRolledBack, accept},
		{"last closed file is open and shorter", func(d *database) {
			d.remove(name(d.last))
			d.set(name(d.last-1), d.files[name(d.last-1)][:10])
		}, none, archive.ErrRolledBack, accept},
		{"another database", func(d *database) {
			for _, n := range d.closed() {
				d.rewrite(n)
			}
		}, none, archive.ErrForeign, takeOver},
		{"higher numbers of another database", func(d *database) {
			for _, n := range append(d.closed(), name(d.last)) {
				d.remove(n)
			}
			d.last = 100
			d.set(name(100), d.noise(10))
			d.flip(10)
		}, none, archive.ErrForeign, takeOver},
		{"tail gone", func(d *database) { d.remove(name(d.last)) }, none, nil, nil},
		{"tail shorter", func(d *database) { d.set(name(d.last), nil) }, none, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db := newDatabase(t, t.TempDir(), 30)
			db.fill(5, 100)
			store := storetest.Memory(t)
			a := archive.New(store, archive.Options{})
			mustBackup(t, a, db)
			tt.change(db)
			objects := len(store.Keys(""))
			res, err := a.Backup(context.Background(), db.source(), tt.with(options))
			if !errors.Is(err, tt.want) {
				t.Fatalf("%v, want %v", err, tt.want)
			}
			if tt.want == nil {
				if len(res.Warnings) != 1 {
					t.Fatalf("warnings %q", res.Warnings)
				}
				return
			}
			if len(store.Keys("")) != objects {
				t.Fatalf("%d objects were written", len(store.Keys(""))-objects)
			}
			if tt.yes == nil {
				return
			}
			res, err = a.Backup(context.Background(), db.source(), tt.yes(options))
			if err != nil || !res.Committed {
				t.Fatalf("accepted: %+v, %v", res, err)
			}
		})
	}
}

// Another layout is refused, whatever the flags.
func TestLayoutIsFixed(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 31)
	db.fill(2, 10)
	store := storetest.Memory(t)
	a := archive.New(store, archive.Options{})
	mustBackup(t, a, db)
	o := options
	o.Acceptance = acceptAll
	if _, err := a.Backup(context.Background(), allFiles(t, db.dir), o); !errors.Is(err, archive.ErrForeign) {
		t.Fatalf("%v", err)
	}
}

// An empty or missing source writes nothing, not even archive.json.
func TestEmptySourceWritesNothing(t *testing.T) {
	t.Parallel()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "je", NoEntries: true})
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(t.TempDir(), layout)
	if err != nil {
		t.Fatal(err)
	}
	store := storetest.Memory(t)
	if _, err := archive.New(store, archive.Options{}).Backup(context.Background(), src, options); !errors.Is(err, archive.ErrEmptySource) || len(store.Keys("")) > 0 {
		t.Fatalf("%v, %d objects", err, len(store.Keys("")))
	}
}

// A restored directory is the same source: the backup sends nothing and refuses nothing.
func TestRestoredSourceGoesOn(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 32)
	db.fill(5, 100)
	a := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, a, db)
	dir := filepath.Join(t.TempDir(), "r")
	mustRestore(t, a, 1, dir, db.files)
	db.dir = dir
	if res := mustBackup(t, a, db); res.Committed {
		t.Fatalf("%+v", res)
	}
	db.grow(10)
	if res := mustBackup(t, a, db); res.SentBytes != 10 {
		t.Fatalf("sent %d bytes", res.SentBytes)
	}
}

// A meddler changes a file whenever it is read for the first time.
type meddler struct {
	*source.Directory
	mu     sync.Mutex
	times  int // how often it still meddles
	meddle func()
}

func (m *meddler) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	c, err := m.Directory.Capture(ctx, want)
	if err != nil {
		return nil, err
	}
	return source.NewCapture(c.Files, c.At, func(f source.File) (source.Content, error) {
		content, err := c.Open(f.Name)
		if err != nil {
			return nil, err
		}
		return &meddled{content, m}, nil
	}), nil
}

type meddled struct {
	source.Content
	m *meddler
}

func (m *meddled) ReadAt(b []byte, off int64) (int, error) {
	n, err := m.Content.ReadAt(b, off)
	m.m.mu.Lock()
	defer m.m.mu.Unlock()
	if m.m.times > 0 {
		m.m.times--
		m.m.meddle()
	}
	return n, err
}

// A file that is rewritten, truncated or grown while it is read is never stored under a hash that
// is not that of one moment. The backup captures again, and fails if the file keeps changing.
func TestFileChangesWhileItIsRead(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		for what, change := range map[string]func(d *database){
			"rewritten": func(d *database) { d.rewrite(name(1)) },
			"truncated": func(d *database) { d.set(name(1), d.files[name(1)][:len(d.files[name(1)])/2+1]) },
			"grown":     func(d *database) { d.set(name(1), append(d.noise(3), d.files[name(1)]...)) },
		} {
			for _, times := range []int{1, 1000} {
				db := newDatabase(t, t.TempDir(), 33)
				db.fill(3, 100_000)
				store := storetest.Memory(t)
				store.TolerateMismatch = true
				a := archive.New(store, archive.Options{Transfers: 1})
				src := &meddler{Directory: db.source(), times: times, meddle: func() { change(db) }}
				res, err := a.Backup(context.Background(), src, options)
				if times > 1 {
					if !errors.Is(err, archive.ErrUnsteady) {
						t.Fatalf("%s for ever: %v", what, err)
					}
					if l, err := a.List(context.Background(), 0); len(l) > 0 {
						t.Fatalf("a snapshot of it: %+v, %v", l, err)
					}
					continue
				}
				if err != nil || !res.Committed {
					t.Fatalf("%s: %+v, %v", what, res, err)
				}
				mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), db.files)
				mustVerify(t, a)
			}
		}
	})
}

// A file that a cleaner deletes after the capture is still archived, from its descriptor.
func TestFileDeletedAfterCapture(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 34)
	db.fill(4, 1000)
	a := archive.New(storetest.Memory(t), archive.Options{Transfers: 1})
	all := map[string][]byte{}
	for n, c := range db.files {
		all[n] = c
	}
	src := &meddler{Directory: db.source(), times: 1, meddle: func() { db.remove(name(1)) }}
	if _, err := a.Backup(context.Background(), src, options); err != nil {
		t.Fatal(err)
	}
	mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), all)
}

// A read error fails the run, names the file, and commits nothing.
func TestReadError(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 35)
		db.fill(3, 1000)
		store := storetest.Memory(t)
		src := &broken{db.source()}
		_, err := archive.New(store, archive.Options{}).Backup(context.Background(), src, options)
		if !errors.Is(err, os.ErrInvalid) || len(store.Keys("manifests/")) > 0 {
			t.Fatalf("%v", err)
		}
		if want := name(1); !contains(err, want) {
			t.Fatalf("%v does not name %s", err, want)
		}
	})
}

// broken cannot read the second file.
type broken struct{ *source.Directory }

func (b *broken) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	c, err := b.Directory.Capture(ctx, want)
	if err != nil {
		return nil, err
	}
	return source.NewCapture(c.Files, c.At, func(f source.File) (source.Content, error) {
		content, err := c.Open(f.Name)
		if err == nil && f.Name == name(1) {
			content = unreadable{content}
		}
		return content, err
	}), nil
}

type unreadable struct{ source.Content }

func (unreadable) ReadAt([]byte, int64) (int, error) { return 0, os.ErrInvalid }

var _ io.ReaderAt = unreadable{}

// isRight checks the outcome of a backup: a snapshot, or the expected refusal.
func isRight(t *testing.T, res *archive.BackupResult, err, want error) {
	t.Helper()
	switch {
	case !errors.Is(err, want):
		t.Fatalf("%v, want %v", err, want)
	case want != nil && !errors.As(err, new(*archive.Refusal)):
		t.Fatalf("%v cannot be accepted", err)
	case want == nil && !res.Committed:
		t.Fatal("no snapshot was made")
	}
}
