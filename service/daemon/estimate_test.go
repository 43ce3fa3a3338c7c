package daemon

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// countedListings counts the listings and the attributes that are read of log content.
type countedListings struct {
	store.Store
	n atomic.Int64
}

func (c *countedListings) Stat(ctx context.Context, key string) (store.Object, error) {
	c.n.Add(1)
	o, err := c.Store.Stat(ctx, key)
	o.Class = "STANDARD"
	return o, err
}

func (c *countedListings) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if prefix == manifest.DataPrefix {
		c.n.Add(1)
	}
	return c.Store.List(ctx, prefix, delimiter, after)
}

// estimated waits for the estimate of an archive, which is made in the background.
func estimated(t *testing.T, d *Daemon, isRight func(web.RestoreEstimate) bool) web.RestoreEstimate {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		e, ok := d.RestoreEstimate("orders", 1)
		if ok && isRight(e) {
			return e
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, %v", e, ok)
		}
	}
}

// The page shows what a restore takes without waiting for the provider, however often it is read: a listing costs
// requests, and the page's clients need no token. New prices count at once, and a drill brings a new rate.
func TestRestoreEstimate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.log"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	layout, err := source.NewLayout(source.LayoutOptions{Name: "files", Pattern: `.*\.log`, NoQuiet: true})
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	bucket := &countedListings{Store: storetest.Memory(t)}
	a := archive.New(bucket, archive.Options{State: &archive.LocalState{Dir: t.TempDir(), Place: "mem://x"}})
	if _, err := a.Backup(t.Context(), src, archive.BackupOptions{Node: "db-1", Tool: "test"}); err != nil {
		t.Fatal(err)
	}
	bucket.n.Store(0)
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Unix())
	d := New(load(t, demand), Options{
		Now: func() time.Time { return time.Unix(now.Load(), 0) },
		Open: func(context.Context, *config.Config, *config.Archive, archive.Limiter) (*Archive, error) {
			return &Archive{Archive: a, Close: func() error { return nil }}, nil
		},
	})
	e := estimated(t, d, func(web.RestoreEstimate) bool { return true })
	if e.Snapshot != 1 || e.Bytes != 1<<20 || e.Requests != 1 || !strings.HasPrefix(e.Time, "How long it takes is not known yet: a drill") ||
		!strings.HasPrefix(e.Price, "What it costs is not known") {
		t.Errorf("%+v", e)
	}
	if _, ok := d.RestoreEstimate("other", 1); ok {
		t.Error("an archive that does not exist has an estimate")
	}
	d.Set(load(t, demand+"prices: [{currency: USD, egress: 1024, classes: {STANDARD: {requests: 0, retrieval: 0}}}]\n"))
	for range 100 {
		d.RestoreEstimate("orders", 1)
	}
	if e, _ := d.RestoreEstimate("orders", 1); e.Price != "It costs about 1.00 USD" || bucket.n.Load() != 1 {
		t.Errorf("%+v, %d reads", e, bucket.n.Load())
	}
	m, err := a.Snapshot(t.Context(), archive.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	now.Add(int64(listAgain / time.Second))
	e = estimated(t, d, func(e web.RestoreEstimate) bool { return strings.HasPrefix(e.Time, "It takes about ") })
	if !strings.Contains(e.Time, "as a restore of 1.0 MiB showed") {
		t.Errorf("%+v", e)
	}
}
