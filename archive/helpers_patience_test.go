package archive_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
)

// A read that a store gave up after all its own attempts is not tried again on top of them. On a
// server that hangs, that would multiply how long a restore takes to fail.
func TestAttemptsAreNotMultiplied(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 31)
	db.fill(3, 100)
	w := newWeak(t)
	a := archive.New(w, archive.Options{Transfers: 1})
	mustBackup(t, a, db)
	hung := errors.New("the service does not answer")
	gets := map[string]int{}
	w.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
		if strings.HasPrefix(key, "data/") || strings.HasPrefix(key, "bundles/") {
			gets[key]++
			return nil, hung
		}
		return w.InMemory.Get(ctx, key, offset, length)
	}
	m, err := a.Snapshot(t.Context(), archive.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{})
	if !errors.Is(err, hung) || len(gets) == 0 {
		t.Errorf("%v", err)
	}
	w.get = func(_ context.Context, key string, _, _ int64) (io.ReadCloser, error) {
		gets[key]++
		return nil, hung
	}
	if _, err := archive.New(w, archive.Options{}).Backup(t.Context(), db.source(), options); !errors.Is(err, hung) {
		t.Errorf("%v", err)
	}
	for key, n := range gets {
		if n != 1 {
			t.Errorf("%s was read %d times", key, n)
		}
	}
}
