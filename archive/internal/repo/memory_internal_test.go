package repo

import (
	"context"
	"fmt"
	"io"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// manifestStore is a store with a long history that no record lists. It encodes a manifest when it is read, so that
// the test's own memory stays small.
type manifestStore struct {
	store.Store
	id        string
	snapshots int64
	entries   []manifest.File
}

func (s *manifestStore) content(key string) []byte {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	if key == manifest.ArchiveKey {
		b, _ := (&manifest.Archive{Format: manifest.Format, ID: s.id, Created: at, Layout: "je"}).Encode()
		return b
	}
	n, ok := manifest.ParseManifestKey(key)
	if !ok {
		return nil
	}
	m := &manifest.Manifest{Summary: manifest.Summary{
		Format: manifest.Format, Archive: s.id, Sequence: n, Created: at.Add(time.Duration(n) * time.Second),
		Node: "db-1", Tool: "test", Layout: "je",
	}, Files: s.entries}
	for i := range s.entries {
		m.Counts.Add(&s.entries[i])
	}
	b, err := m.Encode()
	if err != nil {
		panic(err)
	}
	return b
}

func (s *manifestStore) Get(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	b := s.content(key)[offset:]
	if length >= 0 {
		b = b[:min(int64(len(b)), length)]
	}
	return io.NopCloser(&slowEnd{b}), nil
}

// slowEnd reads a slice without the methods that would keep it in memory.
type slowEnd struct{ left []byte }

func (r *slowEnd) Read(p []byte) (int, error) {
	if len(r.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

func (s *manifestStore) List(_ context.Context, prefix, delimiter, _ string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		switch {
		case prefix == "":
			_ = yield(store.Object{Key: manifest.ArchiveKey}, nil) &&
				yield(store.Object{Key: manifest.DataPrefix, IsDir: true}, nil) &&
				yield(store.Object{Key: manifest.ManifestsPrefix, IsDir: true}, nil)
		case delimiter == "":
			for n := range s.snapshots {
				if !yield(store.Object{Key: manifest.ManifestKey(n + 1), Size: 1 << 20}, nil) {
					return
				}
			}
		default:
			s.listDirectory(prefix, yield)
		}
	}
}

// listDirectory lists one level of the manifests' keys.
func (s *manifestStore) listDirectory(prefix string, yield func(store.Object, error) bool) {
	last := ""
	for n := range s.snapshots {
		key := manifest.ManifestKey(n + 1)
		if len(key) < len(prefix) || key[:len(prefix)] != prefix {
			continue
		}
		o := store.Object{Key: key, Size: 1 << 20}
		if rest := key[len(prefix):]; len(rest) > len("000.json") {
			o = store.Object{Key: prefix + rest[:4], IsDir: true}
		}
		if o.Key != last && !yield(o, nil) {
			return
		}
		last = o.Key
	}
}

// A prune or hold plans its record from all manifests that the ledger does not have yet: after a year at ten seconds,
// millions. Of each it needs a few fields, and must not keep the entries in memory.
func TestLedgerViewKeepsNoEntries(t *testing.T) {
	soaktest.SkipIfRacing(t)
	s := &manifestStore{id: "00000000-0000-4000-8000-000000000000", snapshots: manifest.MaxAhead + MostUnread}
	for i := range 100 {
		content := fmt.Appendf(nil, "content %d", i)
		sum := manifest.Sum(content)
		key := manifest.DataKey(fmt.Sprintf("%08x.jdb", i), sum, 1, "", nil)
		f := manifest.File{
			Name: fmt.Sprintf("%08x.jdb", i), Size: int64(len(content)), Modified: time.Unix(0, 0).UTC(), SHA256: sum,
			Snapshot: 1, State: manifest.Closed,
		}
		f.Parts = []manifest.Part{{Object: key, Size: f.Size, SHA256: sum, Stored: manifest.StoredSumsOf(content)}}
		f.Parts[0].Stored.SHA256 = manifest.Hash{}
		s.entries = append(s.entries, f)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // the second one also frees what pools held
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	view, err := New(s, objects.Options{}).ReadLedgerView(t.Context(), RecordOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	grown := (heap() - before) / s.snapshots
	t.Logf("%d bytes a snapshot", grown)
	if n := int64(len(view.Valid)); n != s.snapshots {
		t.Fatalf("%d snapshots", n)
	}
	if const4KiB := int64(4 << 10); grown > const4KiB {
		t.Errorf("each snapshot keeps %d bytes in memory", grown)
	}
	runtime.KeepAlive(view)
}
