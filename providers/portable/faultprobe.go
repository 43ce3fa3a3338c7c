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
	start := make(chan struct{})
	for i, content := range contents {
		sent.Add(1)
		r := &waitingReader{content: bytes.NewReader(content), isSent: sync.OnceFunc(sent.Done), start: start}
		closed.Go(func() {
			errs[i] = s.createFrom(ctx, key, r, int64(len(content)))
			r.isSent() // also if the driver has not read all
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

// waitingReader delays the end of a content until start is closed.
type waitingReader struct {
	content *bytes.Reader
	isSent  func()
	start   <-chan struct{}
}

// Read implements io.Reader.
func (r *waitingReader) Read(b []byte) (int, error) {
	if r.content.Len() == 0 {
		r.isSent()
		<-r.start
	}
	return r.content.Read(b)
}
