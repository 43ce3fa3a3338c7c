package strongroom

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// hanging is a bucket whose first listing hangs, as a dying disk does, until it is freed.
type hanging struct {
	providers.Bucket
	heedsContext bool
	listings     atomic.Int64
	reached      chan struct{}
	free         chan struct{}
	closed       atomic.Int64
}

// List implements store.Store.
func (h *hanging) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if h.listings.Add(1) > 1 {
		return h.Bucket.List(ctx, prefix, delimiter, after)
	}
	close(h.reached)
	if h.heedsContext {
		select {
		case <-h.free:
		case <-ctx.Done():
			return func(yield func(store.Object, error) bool) { yield(store.Object{}, ctx.Err()) }
		}
	}
	<-h.free
	return h.Bucket.List(ctx, prefix, delimiter, after)
}

// Close implements providers.Bucket.
func (h *hanging) Close() error {
	h.closed.Add(1)
	return h.Bucket.Close()
}

// newHanging returns an archive of a directory with one closed log file, whose first listing hangs.
func newHanging(t *testing.T, heedsContext bool) (*Archive, *hanging) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"log.0000000001", "log.0000000002"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("entries"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bucket, err := providers.Open(t.Context(), "mem://"+strings.ToLower(t.Name())+"/x", providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &hanging{Bucket: bucket, heedsContext: heedsContext, reached: make(chan struct{}), free: make(chan struct{})}
	return newArchive(h, dir, options{node: "db-1", tool: "test"}), h
}

// A backup that hangs must stop neither a program that stops its schedule, nor one whose own deadline is short: both
// wait for the backup only as long as their context allows.
func TestBackupsWaitAsLongAsTheirContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, h := newHanging(t, false)
		hangs := make(chan error, 1)
		go func() { _, err := a.Backup(t.Context()); hangs <- err }()
		<-h.reached

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if _, err := a.Backup(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := a.Start("@every 1h"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the first run begins at once, and waits
		began = time.Now()
		if err := a.Stop(); err != nil || time.Since(began) != 0 || a.Running() {
			t.Errorf("%v after %v, running: %t", err, time.Since(began), a.Running())
		}
		close(h.free)
		if err := <-hangs; err != nil || a.FilesCopied() != 1 {
			t.Errorf("the backup that was called directly: %v, %d files", err, a.FilesCopied())
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}

// After Close nothing uses the bucket: operations have ended, none begins, and no schedule runs on for the life of the
// process. A second Close is as good as the first.
func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, h := newHanging(t, true)
		runs := make(chan error, 1)
		go func() { _, err := a.Backup(t.Context()); runs <- err }()
		<-h.reached
		if err := a.Start("@every 1h"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := a.Close(); err != nil || h.closed.Load() != 1 || a.Running() {
					t.Errorf("%v, closed %d times, running: %t", err, h.closed.Load(), a.Running())
				}
			})
		}
		all.Wait()
		if err := <-runs; !errors.Is(err, ErrClosed) {
			t.Errorf("the operation that ran: %v", err)
		}
		_, backup := a.Backup(t.Context())
		_, list := a.List(t.Context())
		_, restore := a.Restore(t.Context(), filepath.Join(t.TempDir(), "r"))
		_, verify := a.Verify(t.Context(), archive.VerifyOptions{})
		for what, err := range map[string]error{
			"Backup": backup, "List": list, "Restore": restore, "Verify": verify, "Start": a.Start("@hourly"),
		} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
		if err := errors.Join(a.Stop(), a.Close()); err != nil || h.closed.Load() != 1 {
			t.Errorf("%v, closed %d times", err, h.closed.Load())
		}
	})
}

// A disk that hangs holds no program back for longer than a stop may take. The bucket stays open as long as an
// operation uses it, and the next Close reports how that ended.
func TestCloseIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, h := newHanging(t, false)
		runs := make(chan error, 1)
		go func() { _, err := a.List(t.Context()); runs <- err }()
		<-h.reached
		for range 2 {
			began := time.Now()
			if err := a.Close(); !errors.Is(err, ErrStopTimeout) || time.Since(began) != scheduler.Grace || h.closed.Load() != 0 {
				t.Errorf("%v after %v, closed %d times", err, time.Since(began), h.closed.Load())
			}
		}
		close(h.free)
		if err := <-runs; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if err := a.Close(); err != nil || h.closed.Load() != 1 {
			t.Errorf("%v, closed %d times", err, h.closed.Load())
		}
	})
}

// Options apply to a layout that is detected, too: a program that leaves out the file that is being written must not
// get that file because it named no layout.
func TestOptionsOfADetectedLayout(t *testing.T) {
	t.Parallel()
	a, _ := newHanging(t, false)
	defer a.Close()
	a.options.layout = source.LayoutOptions{Pattern: "x"}
	if _, err := a.Backup(t.Context()); !errors.As(err, new(*source.OptionsError)) {
		t.Error(err)
	}
}
