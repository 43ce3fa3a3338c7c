package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A retention that makes no sense ends the prune with an error, and deletes nothing.
func TestPruneWithAnInvalidRetention(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 2)
	if _, err := h.archive().Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: -1}}); err == nil {
		t.Error("no error")
	}
	h.sound(1, 2)
}

// A limited prune compares with the record that the last prune left. If that cannot be read, it has nothing to compare
// with, and must not go on as if it were the first.
func TestLimitedPruneNeedsTheLastRecord(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 3)
	h.prune(scheduled(2))
	last := h.store.Keys(manifest.LedgerPrefix)
	if _, err := h.archive().Hold(t.Context(), archive.Selector{}, "kept"); err != nil || len(last) != 1 {
		t.Fatal(last, err)
	}
	denied := errors.New("access denied")
	s := &weak{InMemory: h.store}
	s.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
		if key == last[0] {
			return nil, denied
		}
		return h.store.Get(ctx, key, offset, length)
	}
	if _, err := archive.New(s, archive.Options{}).Prune(t.Context(), scheduled(1)); !errors.Is(err, denied) {
		t.Errorf("%v, want the error of the record", err)
	}
}

// A file that is larger than Cat holds in memory is written, too.
func TestCatOfALargeFile(t *testing.T) {
	t.Parallel()
	content := make([]byte, 32<<20+1)
	sum := manifest.Sum(content)
	mem := storetest.Memory(t)
	mem.Replace("data/a/1", content)
	size := int64(len(content))
	m := &manifest.Manifest{Files: []manifest.File{{
		Name: "a", Size: size, SHA256: sum,
		Parts: []manifest.Part{{Object: "data/a/1", Size: size, SHA256: sum, Encoding: manifest.Plain, Stored: manifest.StoredSums{Size: size}}},
	}}}
	var got bytes.Buffer
	if err := archive.New(mem, archive.Options{}).Cat(t.Context(), m, "a", &got); err != nil || !bytes.Equal(got.Bytes(), content) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
}

// Without the identity, a verify and a check of local files state how much they could not decrypt. Otherwise an operator
// takes the content for checked.
func TestUndecryptedContentIsCounted(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		mem := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 3)
		db.fill(3, 500)
		mustBackup(t, archive.New(mem, archive.Options{Encoder: encoder(t, encoding.None, newIdentity(t))}), db)
		a := archive.New(mem, archive.Options{})
		m := newest(t, a)
		if r := mustVerify(t, a); r.Unopened == 0 || r.UnopenedBytes != m.Counts.Bytes {
			t.Errorf("verify: %d parts of %d bytes, want %d bytes", r.Unopened, r.UnopenedBytes, m.Counts.Bytes)
		}
		var files []string
		var want int64
		for i := range m.Files {
			files, want = append(files, m.Files[i].Name), want+m.Files[i].Size
		}
		if n, b := archive.CountEncrypted(m, db.dir, append(files, "../elsewhere")); n != len(files) || b != want {
			t.Errorf("%d files of %d bytes, want %d of %d", n, b, len(files), want)
		}
	})
}

// An estimate goes by the latest measurements, so they are in the order of their times, whatever kept them.
func TestMeasurementsAreInOrder(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		mem := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 6)
		db.fill(3, 2000)
		slow := &weak{InMemory: mem}
		slow.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
			time.Sleep(time.Second)
			return mem.Get(ctx, key, offset, length)
		}
		open := func() *archive.Archive {
			return archive.New(slow, archive.Options{State: &archive.LocalState{Dir: t.TempDir(), Place: "mem://x"}})
		}
		a, other := open(), open()
		mustBackup(t, a, db)
		m := newest(t, a)
		if _, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := other.Drill(t.Context(), m, archive.DrillOptions{Scratch: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		all, err := a.Measurements(t.Context(), m.Archive, 1000*m.Counts.Bytes)
		if err != nil || len(all) != 2 || all[0].Kind != cost.Restore || all[1].Kind != cost.Drill {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

// A backup searches for what an interrupted one has stored only where its own files belong. It would list millions of
// older objects each time, and give up before it reaches its own.
func TestSearchForOrphansSkipsOlderFiles(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		mem := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 6)
		db.fill(4, 300_000) // too large for bundles
		mustBackup(t, archive.New(mem, archive.Options{}), db)
		db.fill(6, 300_000)
		s := &weak{InMemory: mem}
		s.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
			return func(yield func(store.Object, error) bool) {
				for o, err := range mem.List(ctx, prefix, delimiter, after) {
					if strings.HasPrefix(o.Key, manifest.DataPrefix+name(0)) {
						t.Errorf("it lists %s", o.Key)
					}
					if !yield(o, err) {
						return
					}
				}
			}
		}
		mustBackup(t, archive.New(s, archive.Options{}), db)
	})
}

// A thaw takes hours. It logs at once what it waits for, and that the command can be repeated.
func TestThawLogsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, s, _ := frozenArchive(t, 1)
		var log bytes.Buffer
		a := archive.New(s, archive.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err := a.Thaw(t.Context(), newest(t, a), nil, archive.ThawOptions{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "waiting for objects to be thawed") {
			t.Errorf("it logs %q", log.String())
		}
	})
}

// A service that refuses a thaw will refuse it again. The error is reported at once, and not after days of requests.
func TestRefusedThawIsReported(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, s, _ := frozenArchive(t, 1)
		f := &failing{icy: s, err: errors.New("access denied")}
		f.left.Store(1 << 20)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		a := archive.New(f, archive.Options{})
		if err := a.Thaw(ctx, newest(t, a), nil, archive.ThawOptions{}); !errors.Is(err, f.err) {
			t.Errorf("%v, want the refusal", err)
		}
	})
}

// The progress of a backup never passes its end, also if archived content is read to compare it: an operator would see
// more than everything sent.
func TestProgressDoesNotCountWhatIsCompared(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		l := newJELog(t, 60)
		l.fill(3)
		l.write(400)
		mem := storetest.Memory(t)
		l.backup(archive.New(mem, archive.Options{}), plain)
		twin := l.clone(61)
		l.write(500, 500)
		l.backup(archive.New(mem, archive.Options{}), plain)
		twin.write(300, 20)
		p := &archive.Progress{}
		o := options
		o.Acceptance = acceptAll
		if _, err := archive.New(mem, archive.Options{Progress: p}).Backup(t.Context(), twin.source(plain), o); err != nil {
			t.Fatal(err)
		}
		if done, all := p.BytesDone.Load(), p.Bytes.Load(); done > all || done == 0 {
			t.Errorf("%d of %d bytes are done", done, all)
		}
	})
}
