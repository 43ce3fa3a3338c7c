package providers

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A server stops answering. No operation waits for ever: a request ends after three times the timeout, and
// an operation makes a few requests. Each error states that the request timed out.
func TestServersFallSilent(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func(*testing.T) string{
		"minio": storetest.S3, "azurite": storetest.Azure, "fake-gcs": storetest.GCS,
	} {
		t.Run(name, func(t *testing.T) {
			straight := fresh(t)
			large := make([]byte, 17<<20)
			if _, err := storetest.PutBytes(t, open(t, straight, cloud.Options{}), "large", large); err != nil {
				t.Fatal(err)
			}
			through, proxy := storetest.Behind(t, straight)
			proxy.Add(t, storetest.Toxic{Type: "bandwidth", Stream: storetest.Download, Attributes: map[string]int{"rate": 500}})
			b := open(t, through, cloud.Options{Timeout: 300 * time.Millisecond})
			var r io.ReadCloser
			var err error
			storetest.Eventually(t, "a busy server answers within the short timeout", func() bool {
				if r, err = b.Get(t.Context(), "large", 0, -1); err != nil {
					return false
				}
				if _, err = r.Read(make([]byte, 1)); err != nil {
					r.Close()
				}
				return err == nil
			}, func() string { return err.Error() })
			defer r.Close()
			for _, stream := range []string{storetest.Upload, storetest.Download} {
				proxy.Add(t, storetest.Toxic{Type: "timeout", Stream: stream, Attributes: map[string]int{"timeout": 0}})
			}
			var wg sync.WaitGroup
			for what, op := range operations(t, b, r, large) {
				wg.Go(func() {
					start := time.Now()
					err := op(t.Context())
					if took := time.Since(start); kindOf(err) != cloud.TimedOut || took > patience {
						t.Errorf("%s: %v after %v, want TimedOut", what, err, took)
					}
				})
			}
			wg.Wait()
		})
	}
}

// operations returns all operations of a store. r has read the beginning of an object.
func operations(t *testing.T, b cloud.Bucket, r io.Reader, large []byte) map[string]func(context.Context) error {
	ops := map[string]func(context.Context) error{
		"reading": func(context.Context) error { _, err := io.Copy(io.Discard, r); return err },
		"Get":     func(ctx context.Context) error { _, err := b.Get(ctx, "large", 5, 7); return err },
		"Stat":    func(ctx context.Context) error { _, err := b.Stat(ctx, "large"); return err },
		"List": func(ctx context.Context) (err error) {
			for _, err = range b.List(ctx, "", "", "") {
			}
			return err
		},
		"Put":           func(context.Context) error { _, err := storetest.PutBytes(t, b, "a", large[:9]); return err },
		"Put of 2 MiB":  func(context.Context) error { _, err := storetest.PutBytes(t, b, "b", large[:2<<20]); return err },
		"Put in pieces": func(context.Context) error { _, err := storetest.PutBytes(t, b, "c", large); return err },
		"Delete":        func(ctx context.Context) error { return b.Delete(ctx, store.AnyVersion("large")) },
	}
	if s, ok := b.(store.Sweeper); ok {
		ops["Sweep"] = func(ctx context.Context) error { _, err := s.Sweep(ctx); return err }
	}
	return ops
}

func kindOf(err error) cloud.Kind {
	var e *cloud.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return cloud.Other
}
