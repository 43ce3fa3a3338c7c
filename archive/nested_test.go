package archive_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A below is the part of a store below a prefix, as an archive there has it. It shows no object
// around the prefix, like credentials that end at it.
type below struct {
	store.Store
	prefix string
}

func (s below) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	return s.Store.Put(ctx, s.prefix+key, body, sums)
}

func (s below) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return s.Store.Get(ctx, s.prefix+key, offset, length)
}

func (s below) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := s.Store.Stat(ctx, s.prefix+key)
	o.Key = key
	return o, err
}

func (s below) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		if after != "" {
			after = s.prefix + after
		}
		for o, err := range s.Store.List(ctx, s.prefix+prefix, delimiter, after) {
			o.Key = strings.TrimPrefix(o.Key, s.prefix)
			if !yield(o, err) {
				return
			}
		}
	}
}

func (s below) Delete(ctx context.Context, objects []store.Object) error {
	full := slices.Clone(objects)
	for i := range full {
		full[i].Key = s.prefix + full[i].Key
	}
	return s.Store.Delete(ctx, full)
}

// An inner is an archive that was made within another one.
type inner struct {
	t      testing.TB
	store  below
	db     *database
	before []string // its keys
}

// newInner makes three snapshots at a prefix, with credentials that reach nothing around it.
func newInner(t testing.TB, s *storetest.InMemory, prefix string) *inner {
	t.Helper()
	h := &inner{t: t, store: below{s, prefix}, db: newDatabase(t, t.TempDir(), 99)}
	for range 3 {
		h.db.grow(70)
		h.db.flip(30)
		mustBackup(t, archive.New(h.store, archive.Options{}), h.db)
	}
	h.before = s.Keys(prefix)
	return h
}

// whole checks that none of its objects has gone, and that its newest snapshot is unchanged.
func (h *inner) whole(s *storetest.InMemory) {
	h.t.Helper()
	for _, key := range h.before {
		if _, err := s.Stat(context.Background(), key); err != nil {
			h.t.Errorf("%s has gone", key)
		}
	}
	if !h.t.Failed() {
		mustRestore(h.t, archive.New(h.store, archive.Options{}), 3, filepath.Join(h.t.TempDir(), "inner"), h.db.files)
	}
}

// nestedPlaces are prefixes at which another archive may have been made, by mistake.
var nestedPlaces = []string{
	"data/node-2/", "data/a/b/c/", "data/00000001.jdb/", "data/", "bundles/node-2/", "bundles/", "pages/node-2/", "manifests/node-2/",
	"manifests/000/", "ledger/node-2/", "proofs/node-2/", "probe/node-2/", "x/y/",
}

// A prune deletes nothing of an archive that lies within the one that it prunes, wherever it lies, and
// also if its archive.json is gone, so that what proves it comes last in a listing. The keys alone
// do not show whose they are: data/node-2/data/x/… has the form of an object of both.
func TestPruneLeavesNestedArchives(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for _, prefix := range nestedPlaces {
		for _, without := range []string{"nothing", "archive.json", "archive.json and ledger"} {
			t.Run(prefix+" without "+without, func(t *testing.T) {
				t.Parallel()
				h := newPruned(t, 4)
				in := newInner(t, h.store, prefix)
				if without == "archive.json" {
					if _, err := archive.New(in.store, archive.Options{}).Hold(t.Context(), archive.Selector{Sequence: 1}, ""); err != nil {
						t.Fatal(err)
					}
				}
				if without != "nothing" {
					h.store.Remove(prefix + manifest.ArchiveKey)
				}
				in.before = h.store.Keys(prefix)
				in.before = slices.DeleteFunc(in.before, func(key string) bool { return !isOf(key, prefix) })
				for _, dry := range []bool{true, false} {
					r := h.prune(archive.PruneOptions{Retention: &retention.Policy{Last: 1}, DryRun: dry, Object: func(p archive.Pruned) {
						if slices.Contains(in.before, p.Key) {
							t.Errorf("%s is to go", p.Key)
						}
					}})
					named := len(r.Nested) == 1 && r.Nested[0].Prefix == prefix && r.Nested[0].Objects >= int64(len(in.before))
					if !named || r.Foreign != 0 || r.Deleted.Manifests != 3 {
						t.Errorf("%+v", r)
					}
				}
				in.whole(h.store)
				h.sound(4) // nor does a verify count it as an orphan
				r := mustVerify(t, h.archive())
				listed := slices.ContainsFunc([]string{"data/", "bundles/", "pages/"}, func(dir string) bool { return strings.HasPrefix(prefix, dir) })
				if (len(r.Nested) == 1) != listed || listed && r.Nested[0].Prefix != prefix {
					t.Errorf("verify shows %+v", r.Nested)
				}
			})
		}
	}
}

// isOf reports whether a key is that of an archive at a prefix, and not of one around it.
func isOf(key, prefix string) bool {
	rest := strings.TrimPrefix(key, prefix)
	_, isObject := manifest.ParseObjectKey(rest)
	_, isManifest := manifest.ParseManifestKey(rest)
	_, isRecord := manifest.ParseLedgerKey(rest)
	return isObject || isManifest || isRecord || rest == manifest.ArchiveKey
}

// The other way round: the inner archive deletes its own objects, and nothing of the outer one.
func TestPruneOfANestedArchive(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 3)
	in := newInner(t, h.store, "data/node-2/")
	r, err := archive.New(in.store, archive.Options{}).Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
	if err != nil || r.Deleted.Manifests != 2 || len(r.Nested) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	h.sound(1, 2, 3)
}

// An archive in an archive in an archive: the outermost one reports one prefix, with all that is below.
func TestPruneOfThreeLevels(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 3)
	middle := newInner(t, h.store, "data/a/")
	deep := newInner(t, h.store, "data/a/data/b/")
	r := h.keepLast(1)
	if n := int64(len(h.store.Keys("data/a/"))); len(r.Nested) != 1 || r.Nested[0] != (archive.Nested{Prefix: "data/a/", Objects: n}) {
		t.Errorf("%+v", r.Nested)
	}
	middle.whole(h.store)
	deep.whole(h.store)
}

// Log files may have any names, also those that prove an archive elsewhere. Their objects go as all others.
func TestPruneOfLogsNamedAsAnArchive(t *testing.T) {
	t.Parallel()
	store, dir := storetest.Memory(t), t.TempDir()
	a := archive.New(store, archive.Options{})
	names := []string{
		"archive.json/x", "sub/archive.json", "manifests/000/000/001.json", "sub/manifests/000/000/001.json", "ledger/000/000/001.json",
		"data/00000001.jdb", "sub/data/data/x", "bundles/x", "sub/bundles",
	}
	for i := range 3 {
		for _, name := range names {
			writeLogFile(t, dir, name, name+strings.Repeat("x", i))
		}
		if err := backupFiles(t, a, dir); err != nil {
			t.Fatal(err)
		}
	}
	r, err := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
	if err != nil || len(r.Nested) != 0 || r.Deleted.Objects != 2*len(names) || r.Foreign != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if v := mustVerify(t, a); v.Objects != len(names) || v.Unreferenced != 0 || len(v.Nested) != 0 {
		t.Errorf("%+v", v)
	}
}

// A late store is one in which an archive is begun at a prefix after the survey of a prune, and whose
// listing, at that time, has passed already what would prove it.
type late struct {
	*storetest.InMemory
	prefix  string
	hides   bool // the listing has passed it
	listed  int
	arrives func()
}

func (s *late) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if prefix != manifest.DataPrefix || delimiter != "" {
		return s.InMemory.List(ctx, prefix, delimiter, after)
	}
	if s.listed++; s.listed == 2 {
		s.arrives()
	}
	return func(yield func(store.Object, error) bool) {
		for o, err := range s.InMemory.List(ctx, prefix, delimiter, after) {
			root, proves := manifest.NestedRoot(o.Key)
			if s.hides && proves && root == s.prefix {
				continue
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// An archive that is begun within another one while that is pruned loses nothing, whether the listing
// shows what proves it or has passed that place.
func TestPruneWhileANestedArchiveIsBegun(t *testing.T) {
	t.Parallel()
	for _, hides := range []bool{false, true} {
		h := newPruned(t, 4)
		s := &late{InMemory: h.store, prefix: "data/node-2/", hides: hides}
		var in *inner
		s.arrives = func() { in = newInner(t, h.store, s.prefix) }
		r, err := archive.New(s, archive.Options{}).Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
		if err != nil || in == nil || len(r.Nested) != 1 || r.Nested[0].Prefix != s.prefix || r.Nested[0].Objects == 0 || r.Deleted.Objects == 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		in.whole(h.store)
		h.sound(4)
	}
}

// Many snapshots of a nested archive take more than one batch of deletions, and its manifests come
// last in the listing: nothing is deleted before they are found.
func TestPruneOfManyNestedObjects(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 3)
	prefix := "data/node-2/"
	put(t, h.store, prefix+manifest.ManifestKey(1), "a manifest")
	for i := range 2500 {
		b := []byte{byte(i), byte(i >> 8)}
		put(t, h.store, prefix+manifest.DataKey("x", manifest.Sum(b), 1, manifest.Plain, nil), string(b))
	}
	r := h.keepLast(1)
	if n := len(h.store.Keys(prefix)); n != 2501 || len(r.Nested) != 1 || r.Nested[0].Objects != 2501 {
		t.Errorf("%d are left; %+v", n, r.Nested)
	}
}

// Another program's archive.json proves nothing where nothing would be deleted anyway.
func TestPruneReportsNoOtherProgram(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 2)
	put(t, h.store, "website/archive.json", `{"years": [2025, 2026]}`)
	if r := h.keepLast(1); len(r.Nested) != 0 {
		t.Errorf("%+v", r.Nested)
	}
}

// writeLogFile writes a log file that was closed long ago.
func writeLogFile(t testing.TB, dir, name, content string) {
	t.Helper()
	path, then := filepath.Join(dir, filepath.FromSlash(name)), time.Date(2026, 1, 1, 0, 0, len(content), 0, time.UTC)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644), os.Chtimes(path, then, then))
	if err != nil {
		t.Fatal(err)
	}
}

// backupFiles archives all files in a directory, whatever they are called.
func backupFiles(t testing.TB, a *archive.Archive, dir string) error {
	t.Helper()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "files", Pattern: `(.*/)?.*`, Quiet: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Backup(t.Context(), src, archive.BackupOptions{Node: "node-1", Tool: "test", Acceptance: acceptAll})
	return err
}

// A backup and a copy store nothing below the prefix of a nested archive, whose prune could take it.
func TestNothingIsStoredInANestedArchive(t *testing.T) {
	t.Parallel()
	store, dir := storetest.Memory(t), t.TempDir()
	a := archive.New(store, archive.Options{})
	writeLogFile(t, dir, "a", "a")
	if err := backupFiles(t, a, dir); err != nil {
		t.Fatal(err)
	}
	target := storetest.Memory(t)
	if _, err := archive.Copy(t.Context(), a, archive.New(target, archive.Options{}), archive.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	writeLogFile(t, dir, "node-2/data/x", "x")
	if err := backupFiles(t, a, dir); err != nil { // there is no archive in the way yet
		t.Fatal(err)
	}
	writeLogFile(t, dir, "node-2/data/y", "y")
	for _, s := range []*storetest.InMemory{store, target} {
		newInner(t, s, "data/node-2/")
		before := s.Keys("")
		err := backupFiles(t, a, dir)
		if s == target {
			_, err = archive.Copy(t.Context(), a, archive.New(target, archive.Options{}), archive.CopyOptions{})
		}
		if !errors.Is(err, archive.ErrNested) || !strings.Contains(err.Error(), "data/node-2/") {
			t.Errorf("%v", err)
		}
		if after := s.Keys(""); !slices.Equal(before, after) {
			t.Errorf("%d objects were stored", len(after)-len(before))
		}
	}
}

// A repair deletes nothing that a nested archive may have, even if a good copy is available.
func TestRepairSparesNestedArchives(t *testing.T) {
	t.Parallel()
	store, dir := storetest.Memory(t), t.TempDir()
	a := archive.New(store, archive.Options{})
	writeLogFile(t, dir, "node-2/data/x", "x")
	if err := backupFiles(t, a, dir); err != nil {
		t.Fatal(err)
	}
	healthy := archive.New(store.Clone(), archive.Options{})
	newInner(t, store, "data/node-2/")
	key := manifest.DataKey("node-2/data/x", manifest.Sum([]byte("x")), 1, manifest.Plain, nil)
	store.Damage(key, func(b []byte) []byte { return []byte("y") })
	r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true, Repair: &archive.RepairFrom{Copies: []*archive.Archive{healthy}}})
	if err != nil || len(r.Repaired) != 0 || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].RepairError, "data/node-2/") {
		t.Errorf("%+v, %v", r, err)
	}
	if o, err := store.Stat(t.Context(), key); err != nil || *o.CRC32C != storetest.SumsOf([]byte("y")).CRC32C {
		t.Errorf("it was replaced, or has gone: %v", err)
	}
}
