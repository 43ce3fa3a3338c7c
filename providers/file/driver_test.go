package file

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"

	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/drivertest"
)

type fileHarness struct{ dir string }

func (h *fileHarness) MakeDriver(context.Context) (driver.Bucket, error) {
	return &dirDriver{&tree{root: h.dir}}, nil
}

func (h *fileHarness) MakeDriverForNonexistentBucket(context.Context) (driver.Bucket, error) {
	return &dirDriver{&tree{root: filepath.Join(h.dir, "missing")}}, nil
}

func (h *fileHarness) HTTPClient() *http.Client         { return nil } // no signed URLs
func (h *fileHarness) SupportsCopy() bool               { return true }
func (h *fileHarness) SupportsNonSlashDelimiters() bool { return true }
func (h *fileHarness) Close()                           {}

// gocloud's own conformance suite. It skips only signed URLs, because SignedURL returns Unimplemented.
func TestDriverConformance(t *testing.T) {
	t.Parallel()
	drivertest.RunConformanceTests(t, func(_ context.Context, t *testing.T) (drivertest.Harness, error) {
		return &fileHarness{t.TempDir()}, nil
	}, nil)
}
