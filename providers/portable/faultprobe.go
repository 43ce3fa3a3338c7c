package portable

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// PutWithWrongChecksum implements store.FaultProbe. The service compares nothing. So the content is stored, and what is
// tested is that reading it back detects the difference, and that the object can be deleted.
func (s *adapter) PutWithWrongChecksum(ctx context.Context, key string, content []byte) error {
	p := s.uploadOf(key, content)
	err := p.send(ctx)
	if err == nil {
		err = p.confirm(ctx, cloud.PromiseOf(append([]byte("not "), content...)))
	}
	if errors.Is(err, errDamaged) {
		err = errors.Join(store.ErrMismatch, err)
	}
	return s.fail("putting", key, err)
}

// PutOverExisting implements store.FaultProbe.
func (s *adapter) PutOverExisting(ctx context.Context, key string, content []byte) error {
	err := s.uploadOf(key, content).create(ctx)
	if err != nil && isTaken(err) {
		return s.Exists(key)
	}
	return s.fail("putting", key, err)
}

// DeleteVersion implements store.FaultProbe. There is no condition.
func (s *adapter) DeleteVersion(ctx context.Context, key, _ string) error {
	return s.Delete(ctx, store.AnyVersion(key))
}

func (s *adapter) uploadOf(key string, content []byte) *upload {
	sums := cloud.PromiseOf(content)
	return s.newUpload(key, cloud.NewBody(bytes.NewReader(content), sums.Size), sums)
}

// CreateAtOnce implements store.Unproven.
func (s *adapter) CreateAtOnce(ctx context.Context, key string, contents [][]byte) (created int, err error) {
	if err := checkKey(key); err != nil {
		return 0, s.fail("putting", key, err)
	}
	errs := make([]error, len(contents))
	var sent, closed sync.WaitGroup
	sent.Add(len(contents))
	start := make(chan struct{})
	for i, content := range contents {
		closed.Go(func() {
			errs[i] = s.createAfter(ctx, key, content, func() {
				sent.Done()
				<-start
			})
		})
	}
	sent.Wait()
	close(start)
	closed.Wait()
	for _, one := range errs {
		switch {
		case one == nil:
			created++
		case !isTaken(one):
			err = errors.Join(err, s.fail("putting", key, one))
		}
	}
	return created, err
}

// createAfter sends content, and completes the object once wait has returned.
func (s *adapter) createAfter(ctx context.Context, key string, content []byte, wait func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.newWriter(ctx, key, int64(len(content)))
	if err == nil {
		_, err = w.Write(content)
	}
	wait()
	if err == nil {
		return w.Close()
	}
	cancel()
	if w != nil {
		_ = w.Close() // the error of the write counts
	}
	return err
}
