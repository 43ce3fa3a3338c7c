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

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// refusing is a store that refuses some requests.
type refusing struct {
	*storetest.InMemory
	put, list func(key string) error
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
func backUp(t *testing.T, a *Archive, src values.Source, snapshots int) {
	t.Helper()
	for range snapshots {
		if _, err := a.Backup(t.Context(), src, values.BackupOptions{Node: "db-1", Tool: "test", Force: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// Without the archive's id, a backup would begin another archive among the objects of this one.
func TestBackupStopsIfTheIDIsUnknown(t *testing.T) {
	t.Parallel()
	for what, h := range map[string]*repo.Head{
		"no archive.json beside manifests that cannot be read":        {Greatest: 3},
		"a damaged archive.json beside a record that cannot be read":  {BadID: true, Unread: &repo.UnreadRecord{Err: values.ErrDamaged}},
		"a damaged archive.json beside manifests that cannot be read": {BadID: true, Greatest: 3},
	} {
		if err := h.CheckUnknownID(); !errors.Is(err, values.ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", what, err)
		}
	}
	if err := (&repo.Head{}).CheckUnknownID(); err != nil {
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
	if err := a.repo.Remains(t.Context(), m); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing is there: %v", err)
	}
	s.Replace(manifest.ManifestKey(1), []byte("damaged"))
	if err := a.repo.Remains(t.Context(), m); err != nil {
		t.Errorf("with a manifest: %v", err)
	}
	s.list = func(prefix string) error {
		if prefix == manifest.ManifestsPrefix {
			return errDenied
		}
		return nil
	}
	if err := a.repo.Remains(t.Context(), m); !errors.Is(err, errDenied) {
		t.Errorf("without permission to list: %v", err)
	}
}

// A canceled prune or hold must not plan a record from the manifests that it has read so far.
func TestCanceledReadOfManifestsIsNoPlan(t *testing.T) {
	t.Parallel()
	a := New(storetest.Memory(t), Options{})
	kept := manifest.Kept{Ref: manifest.Ref{Sequence: 1}}
	s := &repo.LedgerView{
		Head:  &repo.Head{ID: &manifest.Archive{ID: "a"}, Record: &manifest.Record{Kept: []manifest.Kept{kept}}},
		Valid: []repo.SnapshotEntry{{Kept: kept}},
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.repo.ReadMembers(ctx, s, false); !errors.Is(err, context.Canceled) {
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
			s, err := a.repo.ReadLedgerView(t.Context(), repo.RecordOptions{Repaired: repaired})
			if err != nil {
				t.Fatal(err)
			}
			for i := range s.Valid {
				if is := s.Valid[i].AsRead == repaired; is != (s.Valid[i].Kept.Sequence == n) {
					t.Errorf("repaired %d; snapshot %d uses it: %v", n, s.Valid[i].Kept.Sequence, is)
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
		h, err := a.repo.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sum := manifest.Sum([]byte("x"))
		pin := localstate.Pin{Newest: manifest.Ref{Sequence: 9, SHA256: sum}, Anomalies: []localstate.Anomaly{
			{Object: "data/00000001.jdb/x", Was: sum.String()},
			{Object: manifest.ManifestKey(5)},
			{Object: manifest.ManifestKey(6), Was: sum.String()},
		}}
		if err := a.repo.State.SavePin(h.ArchiveID(), pin); err != nil {
			t.Fatal(err)
		}
		missing, err := a.repo.MissingManifests(&repo.LedgerView{Head: h, Valid: []repo.SnapshotEntry{{Kept: manifest.Kept{Ref: pin.Newest}}}})
		if err != nil || len(missing) != 1 || missing[6].Hash != sum {
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
		h, err := a.repo.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		far := manifest.Ref{Sequence: 2 * manifest.MaxGap, SHA256: manifest.Sum([]byte("x"))}
		if err := a.repo.State.SavePin(h.ArchiveID(), localstate.Pin{Newest: far}); err != nil {
			t.Fatal(err)
		}
		s.put = func(key string) error {
			if strings.HasPrefix(key, manifest.LedgerPrefix) {
				return errDenied
			}
			return nil
		}
		o := values.BackupOptions{Node: "db-1", Tool: "test", Force: true}
		if _, err := a.Backup(t.Context(), src, o); !errors.Is(err, errDenied) {
			t.Errorf("%v, want the error of the record", err)
		}
		if keys := s.Keys(manifest.ManifestsPrefix); len(keys) != 1 {
			t.Errorf("manifests %q", keys)
		}
	})
}
