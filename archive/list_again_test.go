package archive_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// A connection that breaks while a manifest is read costs no listing: the manifest is read again,
// unless the caller has cancelled.
func TestListReadsAgain(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		s, broken := &weak{InMemory: h.store}, 0
		s.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
			if key == manifest.ManifestKey(2) && broken == 0 {
				broken++
				return io.NopCloser(iotest.ErrReader(errors.New("connection reset"))), nil
			}
			return h.store.Get(ctx, key, offset, length)
		}
		if all := mustList(t, archive.New(s, archive.Options{})); len(all) != 3 || broken != 1 {
			t.Errorf("%+v, %d", all, broken)
		}
	})
}
