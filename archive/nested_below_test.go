package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// moved puts the objects of an archive below a prefix of another store.
func moved(t *testing.T, from, to *storetest.InMemory, prefix string) {
	t.Helper()
	for _, key := range from.Keys("") {
		to.Replace(prefix+key, from.Snapshot().Bytes(key))
	}
}

// An operator who gives the address above the archives gets their names, and no advice to begin an archive there.
func TestArchivesBelow(t *testing.T) {
	t.Parallel()
	bucket := storetest.Memory(t)
	for n, prefix := range []string{"billing/", "orders/node-1/", "orders/node-2/", "data/deep/er/"} {
		moved(t, newPruned(t, n+1).store, bucket, prefix)
	}
	inner := newPruned(t, 1).store
	moved(t, inner, bucket, "billing/data/inner/")                       // within an archive
	bucket.Replace("website/archive.json", []byte(`{"name":"another"}`)) // another program's
	bucket.Replace("orders/README", []byte("all nodes"))
	bucket.Replace("begun/archive.json", inner.Snapshot().Bytes(manifest.ArchiveKey))
	for _, key := range inner.Keys(manifest.ManifestsPrefix) {
		bucket.Replace("broken/"+key, []byte("garbage"))
	}
	before := bucket.Snapshot()
	a := archive.New(bucket, archive.Options{})
	for what, do := range map[string]func() error{
		"list":     func() error { _, err := a.List(t.Context(), 0); return err },
		"snapshot": func() error { _, err := a.Snapshot(t.Context(), archive.Selector{}); return err },
		"verify":   func() error { _, err := a.Verify(t.Context(), archive.VerifyOptions{}); return err },
		"prune":    func() error { _, err := a.Prune(t.Context(), archive.PruneOptions{}); return err },
	} {
		if err := do(); !errors.Is(err, archive.ErrNoArchive) || !errors.Is(err, archive.ErrHoldsArchives) || errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	found, complete, err := a.Below(t.Context())
	if err != nil || !complete {
		t.Fatalf("complete %v, %v", complete, err)
	}
	var got []string
	for i := range found {
		n := int64(0)
		if s := found[i].Newest; s != nil {
			n = s.Sequence
		}
		got = append(got, fmt.Sprintf("%s %d", found[i].Prefix, n))
	}
	want := []string{"begun/ 0", "billing/ 1", "broken/ 1", "orders/node-1/ 2", "orders/node-2/ 3", "data/deep/er/ 4"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if i := slices.IndexFunc(found, func(b archive.Below) bool { return b.Prefix == "broken/" }); i < 0 || found[i].Newest.Err == nil {
		t.Errorf("%+v", found)
	}
	if !bucket.Snapshot().Equal(before) {
		t.Error("the search changed something")
	}
}

// hidden denies listing in one directory.
type hidden struct {
	*storetest.InMemory
	dir string
}

func (h hidden) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if strings.HasPrefix(prefix, h.dir) {
		return func(yield func(store.Object, error) bool) {
			yield(store.Object{}, fmt.Errorf("listing %s: %w", prefix, fs.ErrPermission))
		}
	}
	return h.InMemory.List(ctx, prefix, delimiter, after)
}

// The search for archives is bounded, and a directory without permission hides only what is in it.
func TestArchivesBelowIsBounded(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	bucket := storetest.Memory(t)
	moved(t, newPruned(t, 1).store, bucket, "b/")
	moved(t, newPruned(t, 1).store, bucket, "secret/")
	a := archive.New(hidden{bucket, "secret/"}, archive.Options{})
	if found, complete, err := a.Below(t.Context()); err != nil || complete || len(found) != 1 || found[0].Prefix != "b/" {
		t.Errorf("%+v, %v, %v", found, complete, err)
	}
	crowded := storetest.Memory(t)
	for n := range 3000 {
		crowded.Replace(fmt.Sprintf("%05d/file", n), []byte("x"))
	}
	if found, complete, err := archive.New(crowded, archive.Options{}).Below(t.Context()); err != nil || complete || len(found) > 0 {
		t.Errorf("%+v, %v, %v", found, complete, err)
	}
	if _, err := archive.New(crowded, archive.Options{}).List(t.Context(), 0); !errors.Is(err, archive.ErrNoArchive) {
		t.Error(err)
	}
}

// The objects of an archive without archive.json and manifests are damage: nothing is ever left so. Other programs'
// files in directories of the same names are not.
func TestRemainsOfAnArchiveAreDamage(t *testing.T) {
	t.Parallel()
	for _, left := range []string{manifest.DataPrefix, manifest.ProofsPrefix} {
		h := newPruned(t, 1)
		if _, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Proof: true}); err != nil {
			t.Fatal(err)
		}
		for _, key := range h.store.Keys("") {
			if !strings.HasPrefix(key, left) {
				h.store.Remove(key)
			}
		}
		for range 2 {
			_, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Proof: true})
			if !errors.Is(err, archive.ErrNoArchive) || !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), left) {
				t.Errorf("%s: %v", left, err)
			}
		}
	}
	other := storetest.Memory(t)
	b := []byte("a file")
	if _, err := other.Put(t.Context(), "data/file", bytes.NewReader(b), storetest.SumsOf(b)); err != nil {
		t.Fatal(err)
	}
	_, err := archive.New(other, archive.Options{}).List(t.Context(), 0)
	if !errors.Is(err, archive.ErrNoArchive) || errors.Is(err, archive.ErrDamaged) {
		t.Error(err)
	}
}
