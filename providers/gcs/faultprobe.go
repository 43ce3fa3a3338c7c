package gcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.FaultProbe = (*adapter)(nil)

// PutWithWrongChecksum implements store.FaultProbe.
func (s *adapter) PutWithWrongChecksum(ctx context.Context, key string, content []byte) error {
	wrong := cloud.PromiseOf(content)
	wrong.CRC32C++
	w := s.writer(ctx, key, wrong)
	_, err := w.Write(content)
	if err = errors.Join(err, w.Close()); isBadChecksum(err) {
		err = store.ErrMismatch
	}
	if err != nil {
		err = fmt.Errorf("inserting: %w", err)
	}
	return s.fail("putting", key, err)
}

// DeleteVersion implements store.FaultProbe. The adapter itself compares no versions.
func (s *adapter) DeleteVersion(ctx context.Context, key, version string) error {
	return s.Delete(ctx, []store.Object{{Key: key, Version: version}})
}

// PutOverExisting implements store.FaultProbe.
func (s *adapter) PutOverExisting(ctx context.Context, key string, content []byte) error {
	sums := cloud.PromiseOf(content)
	err := s.insert(ctx, key, cloud.NewBody(bytes.NewReader(content), sums.Size), sums)
	if err != nil && dialect.Classify(err) == cloud.Precondition {
		return s.Exists(key)
	}
	return s.fail("putting", key, err)
}
