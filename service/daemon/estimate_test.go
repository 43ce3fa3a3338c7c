package daemon

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/cost"
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

// estimatedArchive returns a service with one archive, which has one snapshot of 1 MiB.
func estimatedArchive(t *testing.T, bucket store.Store, now func() time.Time) (*Daemon, *archive.Archive) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.log"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := source.OpenWith(dir, source.LayoutOptions{Name: "files", Pattern: `.*\.log`, NoQuiet: true})
	if err != nil {
		t.Fatal(err)
	}
	a := archive.New(bucket, archive.Options{State: &archive.LocalState{Dir: t.TempDir(), Place: "mem://x"}})
	if _, err := a.Backup(t.Context(), src, archive.BackupOptions{Node: "db-1", Tool: "test"}); err != nil {
		t.Fatal(err)
	}
	return New(load(t, demand), Options{
		Now: now,
		Open: func(context.Context, *config.Config, *config.Archive, archive.Limiter) (*Archive, error) {
			return &Archive{Archive: a, Close: func() error { return nil }}, nil
		},
	}), a
}

// The page shows what a restore takes without waiting for the provider, however often it is read: a listing costs
// requests, and the page's clients need no token. New prices count at once, and a drill brings a new rate.
func TestRestoreEstimate(t *testing.T) {
	t.Parallel()
	bucket := &countedListings{Store: storetest.Memory(t)}
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Unix())
	d, a := estimatedArchive(t, bucket, func() time.Time { return time.Unix(now.Load(), 0) })
	bucket.n.Store(0)
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

// slowClasses is a store whose attributes come after an hour, or not at all.
type slowClasses struct {
	store.Store
	isBroken atomic.Bool
}

func (s *slowClasses) Stat(ctx context.Context, key string) (store.Object, error) {
	select {
	case <-ctx.Done():
		return store.Object{}, ctx.Err()
	case <-time.After(time.Hour):
		return s.Store.Stat(ctx, key)
	}
}

func (s *slowClasses) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if s.isBroken.Load() {
		return func(yield func(store.Object, error) bool) { yield(store.Object{}, os.ErrPermission) }
	}
	return s.Store.List(ctx, prefix, delimiter, after)
}

// The estimate of a large archive takes minutes. The page's other reads do not wait for it, and the page states that it
// is not known, and why, instead of nothing for ever.
func TestSlowEstimate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		bucket := &slowClasses{Store: storetest.Memory(t)}
		d, _ := estimatedArchive(t, bucket, time.Now)
		if e, ok := d.RestoreEstimate("orders", 1); ok {
			t.Errorf("an estimate without a request: %+v", e)
		}
		synctest.Wait()
		began := time.Now()
		k := d.managedArchive("orders")
		m, err := k.snapshots.manifest(t.Context(), k.archive.Archive, 1)
		if err != nil || m.Sequence != 1 || time.Since(began) != 0 {
			t.Errorf("a read of the page waited %v: %v", time.Since(began), err)
		}
		time.Sleep(maxEstimate)
		synctest.Wait()
		if e, ok := d.RestoreEstimate("orders", 1); !ok || e.Snapshot != 1 || e.Unknown != noAnswer {
			t.Errorf("%+v, %v", e, ok)
		}
		k.estimates.end(estimate{}, "")
		if !k.estimates.begin(time.Now().Add(listAgain)) { // and it never ends
			t.Error("no estimate is due")
		}
		if _, unknown := k.estimates.last(time.Now().Add(listAgain + maxEstimate + time.Second)); unknown != noAnswer {
			t.Errorf("while a request hangs: %q", unknown)
		}
		k.estimates.end(estimate{}, "")
		k.estimates.expire()
		bucket.isBroken.Store(true)
		d.RestoreEstimate("orders", 2)
		synctest.Wait()
		if e, ok := d.RestoreEstimate("orders", 2); !ok || e.Snapshot != 2 || e.Unknown != "the archive cannot be read" {
			t.Errorf("%+v, %v", e, ok)
		}
	})
}

// A price needs the storage classes. Without them it is not known, and never that of objects without a class.
func TestEstimateWithoutClasses(t *testing.T) {
	t.Parallel()
	const prices = "prices: [{currency: USD, egress: 1024, classes: {default: {requests: 0, retrieval: 0}}}]\n"
	d := New(load(t, demand+prices), Options{})
	plan := archive.ReadPlan{Reads: []cost.Read{{Bytes: 5, Requests: 1}}, ClassesUnknown: true}
	e := d.describeEstimate(d.managedArchive("orders"), &estimate{snapshot: 7, plan: plan})
	if e.Bytes != 5 || !strings.HasPrefix(e.Price, "What it costs is not known: the storage classes") {
		t.Errorf("%+v", e)
	}
}

// brokenClasses is a store whose attributes of log content cannot be read for a while.
type brokenClasses struct {
	store.Store
	isBroken atomic.Bool
}

func (s *brokenClasses) Stat(ctx context.Context, key string) (store.Object, error) {
	if s.isBroken.Load() && (strings.HasPrefix(key, "data/") || strings.HasPrefix(key, "bundles/")) {
		return store.Object{}, errors.New("denied")
	}
	o, err := s.Store.Stat(ctx, key)
	o.Class = "STANDARD"
	return o, err
}

// An estimate without storage classes, since they could not be read, is made again soon: not only after a day, as one
// that is complete.
func TestEstimateAfterAFailure(t *testing.T) {
	t.Parallel()
	bucket := &brokenClasses{Store: storetest.Memory(t)}
	var now atomic.Int64
	now.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Unix())
	d, _ := estimatedArchive(t, bucket, func() time.Time { return time.Unix(now.Load(), 0) })
	d.Set(load(t, demand+"prices: [{currency: USD, egress: 1024, classes: {STANDARD: {requests: 0, retrieval: 0}}}]\n"))
	bucket.isBroken.Store(true)
	e := estimated(t, d, func(web.RestoreEstimate) bool { return true })
	if !strings.Contains(e.Price, "not known") {
		t.Errorf("%+v", e)
	}
	bucket.isBroken.Store(false)
	now.Add(int64(listAgain / time.Second))
	estimated(t, d, func(e web.RestoreEstimate) bool { return e.Price == "It costs about 1.00 USD" })
}
