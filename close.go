package strongroom

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/service/scheduler"
)

// Close stops the schedule, ends the contexts of all operations, waits for them, and closes the archive. From then on
// all operations return ErrClosed. A second call does the same as the first, and returns the same. Close returns
// ErrStopTimeout if operations do not end within scheduler.Grace. The last of them then closes the bucket, and another
// Close waits for that again.
func (a *Archive) Close() error {
	a.mu.Lock()
	isFirst, s := !a.closed, a.service
	a.closed = true
	a.mu.Unlock()
	if isFirst {
		a.end(ErrClosed)
		go a.closeBucket()
	}
	grace := time.NewTimer(scheduler.Grace)
	defer grace.Stop()
	var stopping error
	if s != nil {
		stopping = s.Stop()
	}
	select {
	case <-a.ended:
		return errors.Join(stopping, a.closing)
	case <-grace.C:
		return fmt.Errorf("closing the archive: %w after %v; the last one closes the bucket", ErrStopTimeout, scheduler.Grace)
	}
}

// closeBucket closes the bucket when no operation uses it any more.
func (a *Archive) closeBucket() {
	a.running.Wait()
	a.release()
	a.closing = a.bucket.Close()
	close(a.ended)
}

// during calls do, an operation, unless the archive is closed. A Close ends its context and waits until it returns.
func during[T any](ctx context.Context, a *Archive, do func(context.Context) (T, error)) (T, error) {
	var none T
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return none, ErrClosed
	}
	a.running.Add(1)
	a.mu.Unlock()
	defer a.running.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(a.life, func() { cancel(ErrClosed) })()
	result, err := do(ctx)
	if err != nil && errors.Is(context.Cause(ctx), ErrClosed) && !errors.Is(err, ErrClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return result, err
}
