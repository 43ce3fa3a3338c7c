package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// setClasses gives the objects of a store storage classes.
func (w *weak) setClasses(classOf func(key string) string) {
	w.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
		return func(yield func(store.Object, error) bool) {
			for o, err := range w.InMemory.List(ctx, prefix, delimiter, after) {
				if o.Class = classOf(o.Key); o.Class == "GLACIER" {
					o.Frozen = o.Class
				}
				if !yield(o, err) {
					return
				}
			}
		}
	}
	w.stat = func(ctx context.Context, key string) (store.Object, error) {
		o, err := w.InMemory.Stat(ctx, key)
		if err == nil {
			o.Class = classOf(key)
		}
		return o, err
	}
}

// A preview reports the bytes that are transferred: those as stored, not those of the files. Each class has its own
// prices, and what must be thawed takes hours. Few objects are asked for one by one, many are listed.
func TestPreviewReportsClasses(t *testing.T) {
	t.Parallel()
	for _, files := range []int{4, 60} {
		w := newWeak(t)
		a := archive.New(w, archive.Options{Encoder: encoder(t, encoding.Zstd, newIdentity(t))})
		db := newDatabase(t, t.TempDir(), 5)
		for len(db.files) < files { // more than a bundle takes of a file
			db.set(name(db.last), []byte(strings.Repeat("compressible ", 40_000)))
			db.flip(1)
		}
		mustBackup(t, a, db)
		m := newest(t, a)
		cold := m.Files[1].Parts[0].Object
		w.setClasses(func(key string) string {
			if key == cold {
				return "GLACIER"
			}
			return "STANDARD"
		})
		var stored, largest int64
		for i := range m.Files {
			stored += m.Files[i].Parts[0].Stored.Size
			largest = max(largest, m.Files[i].Parts[0].Stored.Size)
		}
		plan, err := a.RestoreReads(t.Context(), m, files)
		if err != nil || plan.Missing != 0 || plan.ClassesUnknown || len(plan.Reads) != 2 {
			t.Fatalf("%d files: %+v, %v", files, plan, err)
		}
		var sum cost.Read
		for _, r := range plan.Reads {
			sum.Objects, sum.Bytes, sum.Requests = sum.Objects+r.Objects, sum.Bytes+r.Bytes, sum.Requests+r.Requests
			if r.Kind != "data" || r.Class == "GLACIER" && (r.Objects != 1 || r.Requests != 1 || r.Bytes != m.Files[1].Parts[0].Stored.Size) {
				t.Errorf("%d files: %+v", files, r)
			}
		}
		if sum.Bytes != stored || sum.Bytes >= m.Counts.Bytes || sum.Objects != int64(files) || sum.Requests != int64(files) {
			t.Errorf("%d files: %+v, and %d bytes are stored of %d", files, sum, stored, m.Counts.Bytes)
		}
		gone := &m.Files[0].Parts[0]
		w.InMemory.Remove(gone.Object)
		plan, err = a.RestoreReads(t.Context(), m, 0)
		if err != nil || plan.Missing != 1 || bytesOf(plan.Reads) != stored-gone.Stored.Size {
			t.Errorf("%d files, and a missing one has a price: %+v, %v", files, plan, err)
		}
		plan, err = a.RestoreReads(t.Context(), m, files-1)
		if err != nil || !plan.ClassesUnknown || plan.Missing != 0 || len(plan.Reads) != 1 || bytesOf(plan.Reads) != stored {
			t.Errorf("%d files, and no more than %d may be looked up: %+v, %v", files, files-1, plan, err)
		}
	}
}

func bytesOf(reads []cost.Read) (n int64) {
	for _, r := range reads {
		n += r.Bytes
	}
	return n
}

// Other snapshots may have any number of objects. A preview must not list all of them to price a part of one snapshot:
// on an archive of ten million objects that takes ten thousand requests, one after the other. It lists where its
// objects are, as far as that costs less than a request for each.
func TestPreviewIsBounded(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	const files = 60
	for _, others := range []int{0, 3000} { // below each of some files, and below names before and after all of them
		w := newWeak(t)
		a := archive.New(w, archive.Options{})
		db := newDatabase(t, t.TempDir(), 5)
		db.fill(files, 300_000)
		mustBackup(t, a, db)
		m := newest(t, a)
		for i := range others {
			for _, dir := range []string{"data/-/", "data/" + m.Files[3].Name + "/0", "data/z/", "bundles/"} {
				w.InMemory.Replace(fmt.Sprintf("%s%06d", dir, i), nil)
			}
		}
		cold := m.Files[files-1].Parts[0].Object
		w.setClasses(func(key string) string { return map[bool]string{true: "GLACIER", false: "STANDARD"}[key == cold] })
		var listed, single atomic.Int64
		list, stat := w.list, w.stat
		w.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
			return func(yield func(store.Object, error) bool) {
				for o, err := range list(ctx, prefix, delimiter, after) {
					if listed.Add(1); !yield(o, err) {
						return
					}
				}
			}
		}
		w.stat = func(ctx context.Context, key string) (store.Object, error) {
			single.Add(1)
			return stat(ctx, key)
		}
		w.InMemory.Remove(m.Files[files-2].Parts[0].Object)
		plan, err := a.RestoreReads(t.Context(), m, 0)
		if err != nil || len(plan.Reads) != 2 || plan.Missing != 1 || plan.Reads[0].Class != "GLACIER" ||
			plan.Reads[0].Objects != 1 || plan.Reads[1].Objects != files-2 {
			t.Fatalf("%+v, %v", plan, err)
		}
		// A listing returns a thousand objects.
		most, mostSingle := int64(files), int64(0)
		if others > 0 {
			most, mostSingle = files*1000/32, files
		}
		if listed.Load() > most || single.Load() > mostSingle {
			t.Errorf("%d other objects: %d objects were listed, and %d requested", others, listed.Load(), single.Load())
		}
	}
}

// Small files in bundles are read with few requests, and one object has the content of many.
func TestPreviewOfBundles(t *testing.T) {
	t.Parallel()
	db, _, a := archived(t, 40)
	m := newest(t, a)
	var objects []archive.ObjectRead
	o := archive.RestoreOptions{DryRun: true, Object: func(one archive.ObjectRead) { objects = append(objects, one) }}
	res, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), o)
	if err != nil || len(objects) == 0 || !slices.IsSortedFunc(objects, func(a, b archive.ObjectRead) int { return strings.Compare(a.Key, b.Key) }) {
		t.Fatalf("%+v, %v", objects, err)
	}
	var requests, bytes int64
	for _, r := range res.Reads {
		requests, bytes = requests+r.Requests, bytes+r.Bytes
	}
	if requests != int64(res.Requests) || requests >= int64(len(db.files)) || bytes < m.Counts.StoredBytes {
		t.Errorf("%+v", res)
	}
}

// A provider that does not list, or whose credentials may not, makes classes unknown. The restore itself would succeed,
// so its preview does not fail.
func TestPreviewWithoutClasses(t *testing.T) {
	t.Parallel()
	w := newWeak(t)
	a := archive.New(w, archive.Options{})
	db := newDatabase(t, t.TempDir(), 5)
	db.fill(3, 300_000)
	mustBackup(t, a, db)
	m := newest(t, a)
	w.stat = func(context.Context, string) (store.Object, error) { return store.Object{}, fs.ErrPermission }
	plan, err := a.RestoreReads(t.Context(), m, 0)
	if err != nil || plan.Missing != 0 || !plan.ClassesUnknown || len(plan.Reads) != 1 || plan.Reads[0].Class != "" {
		t.Errorf("%+v, %v", plan, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.stat = func(ctx context.Context, _ string) (store.Object, error) { return store.Object{}, ctx.Err() }
	if _, err := a.RestoreReads(ctx, m, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Each restore shows how fast the next one will be. One that kept what was there shows nothing, and neither does a
// preview. The host remembers the newest few.
func TestRestoresAreMeasured(t *testing.T) {
	t.Parallel()
	mem, state := storetest.Memory(t), t.TempDir()
	a := archive.New(mem, archive.Options{State: &archive.LocalState{Dir: state, Place: "mem://x"}})
	db := newDatabase(t, t.TempDir(), 6)
	db.fill(5, 2000)
	mustBackup(t, a, db)
	m := newest(t, a)
	measured := func() []cost.Measurement {
		t.Helper()
		all, err := a.Measurements(t.Context(), m.Archive, m.Counts.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	to := filepath.Join(t.TempDir(), "r")
	for _, o := range []archive.RestoreOptions{{DryRun: true}, {}, {Overwrite: true}, {Overwrite: true, DryRun: true}} {
		if _, err := a.Restore(t.Context(), m, to, o); err != nil {
			t.Fatal(err)
		}
	}
	all := measured()
	if len(all) != 1 || all[0].Kind != cost.Restore || all[0].Bytes != m.Counts.Bytes || all[0].Files != 5 || all[0].MS < 1 || all[0].Snapshot != 1 || all[0].Host == "" {
		t.Fatalf("%+v", all)
	}
	// Most of the time of this one may have gone into comparing what was there.
	write(t, to, name(1), "wrong")
	if res, err := a.Restore(t.Context(), m, to, archive.RestoreOptions{Overwrite: true}); err != nil || res.Fetched != 1 || res.FetchedBytes != int64(len(db.files[name(1)])) {
		t.Fatalf("%+v, %v", res, err)
	}
	if all := measured(); len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	// A restore of most of the files is measured by what it fetched.
	write(t, to, name(1), "wrong")
	write(t, to, name(2), "wrong")
	write(t, to, name(3), "wrong")
	if _, err := a.Restore(t.Context(), m, to, archive.RestoreOptions{Overwrite: true}); err != nil {
		t.Fatal(err)
	}
	if all := measured(); len(all) != 2 || all[1].Files != 3 || all[1].Bytes != int64(len(db.files[name(1)])+len(db.files[name(2)])+len(db.files[name(3)])) {
		t.Fatalf("%+v", all)
	}
	for i := range cost.MaxMeasurements {
		if _, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{}); err != nil {
			t.Fatal(i, err)
		}
	}
	if all := measured(); len(all) != cost.MaxMeasurements || slices.ContainsFunc(all, func(m cost.Measurement) bool { return m.Files != 5 }) {
		t.Fatalf("%+v", all)
	}
	files, err := filepath.Glob(filepath.Join(state, "*.rates.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	// What was damaged on the disk is replaced, and does not fail a restore.
	if err := os.WriteFile(files[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if all := measured(); len(all) != 1 {
		t.Fatalf("%+v", all)
	}
}

// After a disaster a new host remembers nothing. The records of drills, on any host, show the rate all the same. A
// failed check does not change how long the restore took; older records have no rate.
func TestDrillsRecordTheirRate(t *testing.T) {
	t.Parallel()
	mem := storetest.Memory(t)
	a := archive.New(mem, archive.Options{State: &archive.LocalState{Dir: t.TempDir(), Place: "mem://x"}})
	db := newDatabase(t, t.TempDir(), 6)
	db.fill(5, 2000)
	mustBackup(t, a, db)
	m := newest(t, a)
	if all, err := a.Measurements(t.Context(), m.Archive, m.Counts.Bytes); err != nil || len(all) != 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	failing := archive.DrillOptions{Scratch: t.TempDir(), Check: func(context.Context, string) error { return errors.New("no") }}
	if _, err := a.Drill(t.Context(), m, failing); !errors.Is(err, archive.ErrDrillFailed) {
		t.Fatal(err)
	}
	old := manifest.Proof{
		Format: manifest.Format, Archive: m.Archive, Kind: manifest.ProofDrill, Created: time.Now().UTC().Truncate(time.Millisecond),
		Outcome: manifest.OutcomeOK, Snapshot: 1, DurationMS: 5,
	}
	b, err := old.Encode()
	if err != nil {
		t.Fatal(err)
	}
	mem.Replace(manifest.ProofKey(old.Created, manifest.ProofDrill), b)
	mem.Replace(manifest.ProofKey(old.Created.Add(time.Second), manifest.ProofDrill), []byte("no record"))
	other := archive.New(mem, archive.Options{State: &archive.LocalState{Dir: t.TempDir(), Place: "mem://x"}})
	for what, a := range map[string]*archive.Archive{"this host": a, "another host": other, "without a state": archive.New(mem, archive.Options{})} {
		all, err := a.Measurements(t.Context(), m.Archive, m.Counts.Bytes)
		if err != nil || len(all) != 1 || all[0].Kind != cost.Drill || all[0].Bytes != m.Counts.Bytes || all[0].Files != 5 || !all[0].IsValid() {
			t.Errorf("%s: %+v, %v", what, all, err)
		}
		if all, err := a.Measurements(t.Context(), strings.Replace(m.Archive, m.Archive[:8], "00000000", 1), 0); err != nil || len(all) != 0 {
			t.Errorf("%s: the rate of another archive counts: %+v, %v", what, all, err)
		}
	}
}

// Restores of single files are fast and small, and there are many. They displace no measurement of the whole, and a
// host that has only them still finds the drills of other hosts: else a restore of days is estimated from one of a
// second.
func TestSmallRestoresHideNothing(t *testing.T) {
	t.Parallel()
	mem := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 6)
	db.fill(20, 3000)
	open := func() *archive.Archive {
		return archive.New(mem, archive.Options{State: &archive.LocalState{Dir: t.TempDir(), Place: "mem://x"}})
	}
	a, other := open(), open()
	mustBackup(t, a, db)
	m := newest(t, a)
	if _, err := a.Drill(t.Context(), m, archive.DrillOptions{Scratch: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	for what, a := range map[string]*archive.Archive{"the host of the drill": a, "another host": other} {
		for range cost.MaxMeasurements + 1 {
			part := archive.RestoreOptions{Include: []string{m.Files[0].Name}}
			if _, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), part); err != nil {
				t.Fatal(err)
			}
		}
		all, err := a.Measurements(t.Context(), m.Archive, m.Counts.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		got := cost.EstimateTime(all, m.Counts.Files, m.Counts.Bytes)
		if got == nil || got.Rough || len(got.Measured) != 1 || got.Measured[0].Kind != cost.Drill ||
			got.Measured[0].Bytes != m.Counts.Bytes {
			t.Errorf("%s: %+v", what, got)
		}
		few, err := a.Measurements(t.Context(), m.Archive, m.Files[0].Size)
		if err != nil || len(few) != cost.MaxMeasurements {
			t.Errorf("%s, for a small restore: %+v, %v", what, few, err)
		}
	}
}

// A drill that ended at a damaged object did not restore the snapshot. The time until then is no rate, on any host.
func TestFailedDrillsShowNoRate(t *testing.T) {
	t.Parallel()
	mem := storetest.Memory(t)
	a := archive.New(mem, archive.Options{Transfers: 1})
	db := newDatabase(t, t.TempDir(), 6)
	db.fill(6, 300_000)
	mustBackup(t, a, db)
	m := newest(t, a)
	key := m.Files[4].Parts[0].Object // most bytes are fetched before
	b := slices.Clone(mem.Snapshot().Bytes(key))
	b[len(b)/2]++
	mem.Replace(key, b)
	if _, err := a.Drill(t.Context(), m, archive.DrillOptions{Scratch: t.TempDir()}); !errors.Is(err, archive.ErrDrillFailed) {
		t.Fatal(err)
	}
	record, _, err := a.Drills(t.Context())
	if err != nil || record == nil || record.Outcome != manifest.OutcomeFailed || record.RestoreMS != 0 {
		t.Errorf("%+v, %v", record, err)
	}
	if all, err := a.Measurements(t.Context(), m.Archive, m.Counts.Bytes); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// A local state that cannot be written fails no restore: it is needed most when a host is new.
func TestRateIsNotNeeded(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	write(t, filepath.Dir(state), "state", "a file where the directory should be")
	db := newDatabase(t, t.TempDir(), 6)
	db.fill(3, 2000)
	mem := storetest.Memory(t)
	mustBackup(t, archive.New(mem, archive.Options{}), db)
	a := archive.New(mem, archive.Options{State: &archive.LocalState{Dir: state, Place: "mem://x"}})
	to := filepath.Join(t.TempDir(), "r")
	if _, err := a.Restore(t.Context(), newest(t, a), to, archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	compare(t, to, db.files)
}
