package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A catalogue is a store of very many objects; most of them have only a key and a size. It lists
// one prefix at a time, in order, at little cost.
type catalogue struct {
	keys    []string // in order
	gone    map[string]bool
	content map[string][]byte
	most    int64 // bytes on the heap at the worst measured moment
	deletes int
}

const catalogued = 100 // the size of objects without content

func (c *catalogue) add(key string, b []byte) {
	c.keys = append(c.keys, key)
	if b != nil {
		c.content[key] = b
	}
}

// look measures the live heap.
func (c *catalogue) look() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.most = max(c.most, int64(m.HeapAlloc))
}

func (c *catalogue) Put(_ context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	b := make([]byte, sums.Size)
	if _, err := body.ReadAt(b, 0); err != nil && err != io.EOF {
		return store.PutResult{}, err
	}
	i, _ := slices.BinarySearch(c.keys, key)
	c.keys, c.content[key] = slices.Insert(c.keys, i, key), b
	return store.PutResult{}, nil
}

func (c *catalogue) Get(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	b, ok := c.content[key]
	if !ok || c.gone[key] {
		return nil, fs.ErrNotExist
	}
	if length < 0 {
		length = int64(len(b))
	}
	return io.NopCloser(bytes.NewReader(b[offset:min(offset+length, int64(len(b)))])), nil
}

func (c *catalogue) Stat(_ context.Context, key string) (store.Object, error) {
	if _, there := slices.BinarySearch(c.keys, key); !there || c.gone[key] {
		return store.Object{}, fs.ErrNotExist
	}
	return store.Object{Key: key, Size: c.size(key)}, nil
}

func (c *catalogue) size(key string) int64 {
	if b, ok := c.content[key]; ok {
		return int64(len(b))
	}
	return catalogued
}

func (c *catalogue) List(_ context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		i, _ := slices.BinarySearch(c.keys, max(prefix, after))
		for i < len(c.keys) && strings.HasPrefix(c.keys[i], prefix) {
			key := c.keys[i]
			if c.gone[key] || key <= after {
				i++
				continue
			}
			o := store.Object{Key: key, Size: c.size(key)}
			if d := strings.Index(key[len(prefix):], delimiter); delimiter != "" && d >= 0 {
				o = store.Object{Key: key[:len(prefix)+d+1], IsDir: true}
				i, _ = slices.BinarySearch(c.keys, o.Key+"\xff")
			} else {
				i++
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (c *catalogue) Delete(_ context.Context, objects []store.Object) error {
	for i := range objects {
		c.gone[objects[i].Key] = true
	}
	if c.deletes++; c.deletes%100 == 1 {
		c.look()
	}
	return nil
}

// longLife is an archive of many snapshots. Each has the given number of files; news of them are
// new.
func longLife(t testing.TB, snapshots, files, news int) *catalogue {
	t.Helper()
	c := &catalogue{gone: map[string]bool{}, content: map[string][]byte{}}
	id := "6b0f3b0e-2f4e-4c58-9f5a-0d5b4a4f2a10"
	start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	archiveJSON, err := (&manifest.Archive{Format: manifest.Format, ID: id, Created: start, Layout: "je"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	c.add(manifest.ArchiveKey, archiveJSON)
	codec := manifest.NewPageCodec()
	var parent *manifest.Ref
	var pages []manifest.Page
	var set []manifest.File
	for n := int64(1); n <= int64(snapshots); n++ {
		for i := range news {
			var seed [16]byte
			binary.BigEndian.PutUint64(seed[:], uint64(n))
			binary.BigEndian.PutUint64(seed[8:], uint64(i))
			name, sum := fmt.Sprintf("%08x.jdb", int(n)*news+i), manifest.Sum(seed[:])
			key := manifest.DataKey(name, sum, n, manifest.Plain, nil)
			c.add(key, nil)
			part := manifest.Part{Object: key, Size: catalogued, SHA256: sum, Stored: manifest.StoredSums{Size: catalogued}}
			set = append(set, manifest.File{Name: name, Size: catalogued, Modified: start, SHA256: sum, Parts: []manifest.Part{part}, Snapshot: n, State: manifest.Closed})
		}
		set = slices.Clone(set[max(0, len(set)-files):])
		m := &manifest.Manifest{Summary: manifest.Summary{
			Format: manifest.Format, Archive: id, Sequence: n, Created: start.Add(time.Duration(n) * time.Hour), Parent: parent,
			Node: "node-1", Tool: "test", Layout: "je", Counts: manifest.Counts{Files: int64(len(set)), Bytes: int64(len(set)) * catalogued, StoredBytes: int64(len(set)) * catalogued},
		}}
		m.ConsistentThrough = &manifest.Point{Name: set[len(set)-1].Name, Size: catalogued}
		m.Files, pages = set, c.pagesOf(t, codec, m, set, pages)
		if len(pages) > 0 {
			m.Files = nil
		}
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c.add(manifest.ManifestKey(n), b)
		parent = &manifest.Ref{Sequence: n, SHA256: manifest.Sum(b)}
	}
	slices.Sort(c.keys)
	return c
}

// pagesOf cuts a set into pages as a backup does.
func (c *catalogue) pagesOf(t testing.TB, codec *manifest.PageCodec, m *manifest.Manifest, set []manifest.File, parent []manifest.Page) []manifest.Page {
	if len(set) <= manifest.MaxInline {
		return nil
	}
	var pages []manifest.Page
	for _, piece := range manifest.CutPages(set, parent) {
		page := manifest.Page{Files: piece.Files}
		if piece.Kept != nil {
			page.Ref = *piece.Kept
		} else {
			ref, b, err := codec.Encode(piece.Files, m.Sequence)
			if err != nil {
				t.Fatal(err)
			}
			page.Ref = ref
			c.add(ref.Object, b)
		}
		pages = append(pages, page)
		m.Pages = append(m.Pages, page.Ref)
	}
	return pages
}

// A prune of an archive with 40,000 objects and 400 snapshots, in a soak with a million and five
// thousand, takes little memory beside what it deletes, and leaves exactly what the kept
// snapshots need.
func TestPruneOfAMillion(t *testing.T) {
	soaktest.SkipIfRacing(t)
	snapshots, files, news := 400, 500, 100
	if soaktest.IsFull(t) {
		snapshots, files, news = 5000, 1000, 200
	} else if brief() { // races do not depend on the size
		snapshots, files, news = 200, 300, 60
	}
	soaktest.Rounds(t, 1, 1, func(t *testing.T, _ uint64) { pruneLarge(t, snapshots, files, news) })
}

func pruneLarge(t *testing.T, snapshots, files, news int) {
	c := longLife(t, snapshots, files, news)
	c.gone = make(map[string]bool, len(c.keys))
	c.look()
	before, all := c.most, len(c.keys)
	policy := &retention.Policy{Last: 96, Daily: 14, Weekly: 8, Monthly: 12}
	start := time.Now()
	r, err := archive.New(c, archive.Options{}).Prune(t.Context(), archive.PruneOptions{Retention: policy})
	if err != nil {
		t.Fatal(err)
	}
	took, more := time.Since(start), c.most-before
	t.Logf("%d objects, %d snapshots: %d snapshots and %d objects removed in %s, with %d MiB", all, snapshots, len(r.Removed), r.Deleted.All(), took.Round(time.Millisecond), more>>20)
	needed := map[int64]bool{} // files, by their number
	for _, v := range r.Verdicts {
		if v.Keep {
			for i := max(int64(news), (v.Sequence+1)*int64(news)-int64(files)); i < (v.Sequence+1)*int64(news); i++ {
				needed[i] = true
			}
		}
	}
	left := 0
	for _, key := range c.keys {
		if strings.HasPrefix(key, manifest.DataPrefix) && !c.gone[key] {
			left++
		}
	}
	if left != len(needed) || r.Deleted.Objects < len(r.Removed)*news/4 {
		t.Fatalf("%d data objects are left, and the kept snapshots have %d: %+v", left, len(needed), r.Deleted)
	}
	if limit := int64(32 << 20); more > limit {
		t.Errorf("it took %d MiB", more>>20)
	}
	v, err := archive.New(c, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{})
	if err != nil || v.Unreferenced > 0 || v.Snapshots != snapshots-len(r.Removed) || slices.ContainsFunc(v.Problems, func(p archive.Problem) bool { return p.Kind == archive.ProblemMissing }) {
		t.Fatalf("%v: %d unreferenced, %d snapshots, %d problems", err, v.Unreferenced, v.Snapshots, len(v.Problems))
	}
}

// The newest 100 of 5,000 snapshots are listed with 105 requests, of 4 KiB each but for the
// listings.
func TestListOfALongHistory(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	c := longLife(t, 5000, 3, 1)
	counted := &traffic{Store: c}
	faulty := storetest.NewFaulty(counted, -1, storetest.NotApplied)
	all, err := archive.New(faulty, archive.Options{}).List(t.Context(), 100)
	if err != nil || len(all) != 100 || all[99].Sequence != 5000 || all[0].Sequence != 4901 {
		t.Fatal(len(all), err)
	}
	if ops := faulty.Ops(); ops.Total() > 105 || counted.most.Load() > 4<<10 {
		t.Errorf("%+v, and one of %d bytes", ops, counted.most.Load())
	}
}
