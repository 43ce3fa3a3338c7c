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
func (w *weak) freeze(thawed bool) {
	isContent := func(key string) bool {
		return strings.HasPrefix(key, manifest.DataPrefix) || strings.HasPrefix(key, manifest.BundlesPrefix)
	}
	w.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
		return func(yield func(store.Object, error) bool) {
			for o, err := range w.InMemory.List(ctx, prefix, delimiter, after) {
				if isContent(o.Key) {
					o.Frozen = "GLACIER"
				}
				if !yield(o, err) {
					return
				}
			}
		}
	}
	w.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
		if isContent(key) && !thawed {
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
