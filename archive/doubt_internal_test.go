package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// refusing is a store that refuses some requests.
type refusing struct {
	*storetest.InMemory
	put, list func(key string) error
	block     error // of FindBlock
}

var errDenied = errors.New("access denied")

func (r *refusing) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if r.put != nil {
		if err := r.put(key); err != nil {
			return store.PutResult{}, err
		}
	}
	return r.InMemory.Put(ctx, key, body, sums)
}

func (r *refusing) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if r.list != nil {
		if err := r.list(prefix); err != nil {
			return func(yield func(store.Object, error) bool) { yield(store.Object{}, err) }
		}
	}
	return r.InMemory.List(ctx, prefix, delimiter, after)
}

func (r *refusing) FindBlock(context.Context, string) (*store.Blocked, error) { return nil, r.block }

// logFiles is a source of three small files of another layout than JE's.
func logFiles(t *testing.T) (dir string, src *source.Directory) {
	t.Helper()
	dir = t.TempDir()
	for n := range 3 {
		path := filepath.Join(dir, fmt.Sprintf("log.%010d", n+1))
		if err := os.WriteFile(path, fmt.Appendf(nil, "entries %d", n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	layout, err := source.NewLayout(source.LayoutOptions{Name: "bdb"})
	if err != nil {
		t.Fatal(err)
	}
	if src, err = source.Open(dir, layout); err != nil {
		t.Fatal(err)
	}
	return dir, src
}

// backUp makes snapshots of logFiles.
func backUp(t *testing.T, a *Archive, src Source, snapshots int) {
	t.Helper()
	for range snapshots {
		if _, err := a.Backup(t.Context(), src, BackupOptions{Node: "db-1", Tool: "test", Force: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// Without the archive's id, a backup would begin another archive among the objects of this one.
func TestBackupStopsIfTheIDIsUnknown(t *testing.T) {
	t.Parallel()
	for what, h := range map[string]*head{
		"no archive.json beside manifests that cannot be read":        {greatest: 3},
		"a damaged archive.json beside a record that cannot be read":  {badID: true, unread: &unreadRecord{err: ErrDamaged}},
		"a damaged archive.json beside manifests that cannot be read": {badID: true, greatest: 3},
	} {
		if err := h.checkUnknownID(); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", what, err)
		}
	}
	if err := (&head{}).checkUnknownID(); err != nil {
		t.Errorf("nothing is there: %v", err)
	}
}

// An archive whose manifests are listed is damaged, and not gone. If the listing fails, it is neither: an operator who
// reads that the archive is gone begins another.
func TestListedArchiveIsNotGone(t *testing.T) {
	t.Parallel()
	s := &refusing{InMemory: storetest.Memory(t)}
	a := New(s, Options{})
	m := &manifest.Manifest{}
	if err := a.remains(t.Context(), m); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing is there: %v", err)
	}
	s.Replace(manifest.ManifestKey(1), []byte("damaged"))
	if err := a.remains(t.Context(), m); err != nil {
		t.Errorf("with a manifest: %v", err)
	}
	s.list = func(prefix string) error {
		if prefix == manifest.ManifestsPrefix {
			return errDenied
		}
		return nil
	}
	if err := a.remains(t.Context(), m); !errors.Is(err, errDenied) {
		t.Errorf("without permission to list: %v", err)
	}
}

// A canceled prune or hold must not plan a record from the manifests that it has read so far.
func TestCanceledReadOfManifestsIsNoPlan(t *testing.T) {
	t.Parallel()
	a := New(storetest.Memory(t), Options{})
	kept := manifest.Kept{Ref: manifest.Ref{Sequence: 1}}
	s := &ledgerView{
		head:  &head{id: &manifest.Archive{ID: "a"}, record: &manifest.Record{Kept: []manifest.Kept{kept}}},
		valid: []snapshotEntry{{kept: kept}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.readMembers(ctx, s, false); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// A repair has the correct content of a manifest that no record lists yet. The plan uses it for that manifest, and for
// no other.
func TestPlanUsesTheRepairedManifest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // whose clock settles young files at once
		_, src := logFiles(t)
		a := New(storetest.Memory(t), Options{})
		backUp(t, a, src, 2)
		for _, n := range []int64{1, 7} {
			repaired := &manifest.Summary{Sequence: n}
			s, err := a.readLedgerView(t.Context(), recordOptions{repaired: repaired})
			if err != nil {
				t.Fatal(err)
			}
			for i := range s.valid {
				if is := s.valid[i].asRead == repaired; is != (s.valid[i].kept.Sequence == n) {
					t.Errorf("repaired %d; snapshot %d uses it: %v", n, s.valid[i].kept.Sequence, is)
				}
			}
		}
	})
}

// What this host remembers of damaged content is no claim about a manifest. A record planned from it would keep a
// snapshot 0, or one with a hash of zeros, which no object can ever have.
func TestOnlyRememberedManifestsAreMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // whose clock settles young files at once
		_, src := logFiles(t)
		a := New(storetest.Memory(t), Options{State: &LocalState{Dir: t.TempDir(), Place: "mem://x"}})
		backUp(t, a, src, 1)
		h, err := a.load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum := manifest.Sum([]byte("x"))
		pin := localstate.Pin{Newest: manifest.Ref{Sequence: 9, SHA256: sum}, Anomalies: []localstate.Anomaly{
			{Object: "data/00000001.jdb/x", Was: sum.String()},
			{Object: manifest.ManifestKey(5)},
			{Object: manifest.ManifestKey(6), Was: sum.String()},
		}}
		if err := a.state.SavePin(h.archiveID(), pin); err != nil {
			t.Fatal(err)
		}
		missing, err := a.missingManifests(&ledgerView{head: h, valid: []snapshotEntry{{kept: manifest.Kept{Ref: pin.Newest}}}})
		if err != nil || len(missing) != 1 || missing[6].hash != sum {
			t.Errorf("%+v, %v; want manifest 6", missing, err)
		}
	})
}

// A snapshot far above the others counts for nothing without the record of the gap. If that cannot be written, the
// backup fails: reported as made, the snapshot would be ignored by each restore.
func TestBackupFailsWithoutTheRecordOfAGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // whose clock settles young files at once
		_, src := logFiles(t)
		s := &refusing{InMemory: storetest.Memory(t)}
		a := New(s, Options{State: &LocalState{Dir: t.TempDir(), Place: "mem://x"}})
		backUp(t, a, src, 1)
		h, err := a.load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		far := manifest.Ref{Sequence: 2 * manifest.MaxGap, SHA256: manifest.Sum([]byte("x"))}
		if err := a.state.SavePin(h.archiveID(), localstate.Pin{Newest: far}); err != nil {
			t.Fatal(err)
		}
		s.put = func(key string) error {
			if strings.HasPrefix(key, manifest.LedgerPrefix) {
				return errDenied
			}
			return nil
		}
		o := BackupOptions{Node: "db-1", Tool: "test", Force: true}
		if _, err := a.Backup(t.Context(), src, o); !errors.Is(err, errDenied) {
			t.Errorf("%v, want the error of the record", err)
		}
		if keys := s.Keys(manifest.ManifestsPrefix); len(keys) != 1 {
			t.Errorf("manifests %q", keys)
		}
	})
}

// A dry run reports that the record cannot be written which the backup needs: the backup would fail after all content
// was sent.
func TestDryRunReportsABlockedRecord(t *testing.T) {
	t.Parallel()
	s := &refusing{InMemory: storetest.Memory(t), block: errDenied}
	r := &backupRun{
		Archive: New(s, Options{}), o: &BackupOptions{TestPlaces: true}, head: &head{id: &manifest.Archive{ID: "a"}},
		next: 1, capture: &source.Capture{}, forkedFrom: &manifest.Ref{Sequence: 1},
	}
	if err := r.rehearse(t.Context(), &Plan{}, true); !errors.Is(err, errDenied) {
		t.Errorf("%v, want the error of the test", err)
	}
}

// worn is a disk that can be read once.
type worn struct {
	content []byte
	left    int
}

func (w *worn) ReadAt(b []byte, at int64) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, unix.EIO
	}
	return copy(b, w.content[at:]), nil
}

// The bytes after the last whole entry of a tail are read again, to find out whether they are damaged. If the disk fails
// then, the tail must not be archived as one that merely ends early.
func TestTailThatCannotBeReadAgainIsNotArchived(t *testing.T) {
	t.Parallel()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "je"})
	if err != nil {
		t.Fatal(err)
	}
	log := entriestest.NewJE(26, 0, 0)
	for range 3 {
		log.Add(entriestest.JERecord, make([]byte, 300))
	}
	b := log.Bytes[:len(log.Bytes)-100]
	f := &source.File{Name: "00000000.jdb", Size: int64(len(b)), State: source.Tail}
	if _, err := newScanner(f, layout).file(t.Context(), &worn{b, len(b)}, f.Size, 0, tailBefore{}); !errors.Is(err, unix.EIO) {
		t.Errorf("%v, want EIO", err)
	}
	if _, err := newScanner(f, layout).file(t.Context(), &worn{b, 1 << 30}, f.Size, 0, tailBefore{}); err != nil {
		t.Errorf("a disk that can be read: %v", err)
	}
}
