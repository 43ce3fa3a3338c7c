package file

import (
	"context"
	"io"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// throttledAdapter is a directory that keeps within a Bandwidth: it may be on a network file system.
type throttledAdapter struct {
	*adapter
	bandwidth *cloud.Bandwidth
}

// Get implements store.Store.
func (s *throttledAdapter) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := s.adapter.Get(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{s.bandwidth.Reader(ctx, r), r}, nil
}

// Put implements store.Store.
func (s *throttledAdapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	return s.adapter.Put(ctx, key, s.bandwidth.ReaderAt(ctx, body), sums)
}
