package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// freeze makes the store one where a rule has moved log content to a class from which it must be thawed.
func (w *weak) freeze(thawed bool) { w.freezeSome(thawed, isContent) }

// isContent reports whether a key is that of log content.
func isContent(key string) bool {
	return strings.HasPrefix(key, manifest.DataPrefix) || strings.HasPrefix(key, manifest.BundlesPrefix)
}

// freezeSome freezes the objects under some keys.
func (w *weak) freezeSome(thawed bool, isFrozen func(key string) bool) {
	w.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
		return func(yield func(store.Object, error) bool) {
			for o, err := range w.InMemory.List(ctx, prefix, delimiter, after) {
				if isFrozen(o.Key) {
					o.Frozen = "GLACIER"
				}
				if !yield(o, err) {
					return
				}
			}
		}
	}
	w.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
		if isFrozen(key) && !thawed {
			return nil, fmt.Errorf("getting %s: %w", key, store.ErrFrozen)
		}
		return w.InMemory.Get(ctx, key, offset, length)
	}
}

// Objects in an archive class are neither missing nor damaged. A verify and a check report them before a restore
// needs them, and a restore fails because they must be thawed. Once they are thawed, they have their class still, and
// all is read.
func TestFrozenObjects(t *testing.T) {
	t.Parallel()
	w := newWeak(t)
	l := newJELog(t, 1)
	l.fill(3)
	a := archive.New(w, archive.Options{})
	l.backup(a, source.LayoutOptions{})
	if class, n, err := a.FindFrozen(t.Context()); class != "" || n != 0 || err != nil {
		t.Fatalf("%q, %d, %v", class, n, err)
	}
	w.freeze(false)
	for _, o := range []archive.VerifyOptions{{}, {ReadData: true}, {Sample: 1}, {ReadData: true, Proof: true}} {
		r, err := a.Verify(t.Context(), o)
		if err != nil || len(r.Problems) != 0 || r.Frozen == 0 || r.Frozen != r.Objects || !slices.Equal(r.FrozenClasses, []string{"GLACIER"}) {
			t.Fatalf("%+v: %+v, %v", o, r, err)
		}
		if reads := o.ReadData || o.Sample > 0; reads != (r.Unthawed == r.Frozen) || r.ReadObjects != 0 || r.Coverage.Read != 0 {
			t.Errorf("%+v: %+v", o, r)
		}
	}
	if f, ok := a.Preflight(t.Context()); !ok || f.Result != storecheck.Note || !strings.Contains(f.Detail, "GLACIER") {
		t.Errorf("%+v, %v", f, ok)
	}
	m := newest(t, a)
	_, err := a.Restore(t.Context(), m, t.TempDir()+"/to", archive.RestoreOptions{})
	if !errors.Is(err, store.ErrFrozen) || errors.Is(err, archive.ErrDamaged) || errors.Is(err, fs.ErrPermission) {
		t.Errorf("restore: %v", err)
	}
	w.freeze(true)
	r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true})
	if err != nil || r.Frozen == 0 || r.Unthawed != 0 || r.ReadObjects == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := a.Restore(t.Context(), m, t.TempDir()+"/to", archive.RestoreOptions{}); err != nil {
		t.Error(err)
	}
}

// Most objects of an archive are frozen. A sample reads others in each run: frozen ones, which are never read, do not take
// their place for ever.
func TestFrozenObjectsLeaveTheSampleToOthers(t *testing.T) {
	t.Parallel()
	w := newWeak(t)
	db := newDatabase(t, t.TempDir(), 24)
	a := archive.New(w, archive.Options{})
	for n := range 5 {
		db.fill(2+2*n, 1000)
		mustBackup(t, a, db)
	}
	var content []string
	for _, key := range w.Snapshot().Keys("") {
		if isContent(key) {
			content = append(content, key)
		}
	}
	if len(content) < 4 {
		t.Fatalf("too few objects: %q", content)
	}
	w.freezeSome(false, func(key string) bool { return isContent(key) && key != content[0] })
	for n := range 8 {
		r, err := a.Verify(t.Context(), archive.VerifyOptions{Sample: 0.1, Proof: true})
		if err != nil || r.ReadObjects != 1 || r.Coverage.Read != 1 || len(r.Problems) > 0 {
			t.Fatalf("run %d: %+v, %v", n, r, err)
		}
	}
}

// A warning before a restore is worth one page of a listing, and no more. A directory has no storage classes, and a service
// without order would be listed as a whole to be sorted.
func TestFindFrozenListsLittle(t *testing.T) {
	t.Parallel()
	w := newWeak(t)
	db := newDatabase(t, t.TempDir(), 25)
	db.fill(3, 100)
	a := archive.New(w, archive.Options{})
	mustBackup(t, a, db)
	w.freeze(false)
	frozen := w.list
	w.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
		if !store.WantsOrder(ctx) {
			t.Error("the listing would be sorted")
		}
		return func(yield func(store.Object, error) bool) { yield(store.Object{}, store.ErrUnordered) }
	}
	if class, n, err := a.FindFrozen(t.Context()); class != "" || n != 0 || err != nil {
		t.Errorf("without order: %q, %d, %v", class, n, err)
	}
	w.list = frozen
	if class, _, err := a.FindFrozen(t.Context()); class != "GLACIER" || err != nil {
		t.Errorf("with classes: %q, %v", class, err)
	}
	if class, n, err := archive.New(&classless{w}, archive.Options{}).FindFrozen(t.Context()); class != "" || n != 0 || err != nil {
		t.Errorf("without classes: %q, %d, %v", class, n, err)
	}
}

// classless is a store without storage classes.
type classless struct{ *weak }

func (*classless) HasNoClasses() {}
