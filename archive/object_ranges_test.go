package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// largeName is a file of 18 ranges in an archive of readLarge.
const (
	largeName  = "00000000.jdb"
	largeRange = 4 << 10
	largeSize  = 18 * largeRange
)

// readLarge returns an archive that fetches objects in ranges from 16 of them on.
func readLarge(s store.Store, o archive.Options) *archive.Archive {
	a := archive.New(s, o)
	a.SetRangeSizes(16*largeRange, largeRange)
	return a
}

// largeArchive stores one large file, and smaller ones.
func largeArchive(t *testing.T, sizes ...int) (*storetest.InMemory, map[string][]byte) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{1})
	files := map[string][]byte{}
	for i, size := range sizes {
		b := make([]byte, size)
		random.Read(b)
		files[name(i)] = b
	}
	db, s := t.TempDir(), storetest.Memory(t)
	writeFiles(t, db, files)
	archiveFilesOf(t, db, s)
	return s, files
}

// A distantStore takes a second before the first byte of an object's content, and counts the requests that wait or are
// read.
type distantStore struct {
	store.Store
	requests, now, most atomic.Int64
}

func (d *distantStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if !strings.HasPrefix(key, manifest.DataPrefix) {
		return d.Store.Get(ctx, key, offset, length)
	}
	d.requests.Add(1)
	now := d.now.Add(1)
	for most := d.most.Load(); now > most && !d.most.CompareAndSwap(most, now); most = d.most.Load() {
	}
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		d.now.Add(-1)
		return nil, context.Cause(ctx)
	}
	r, err := d.Store.Get(ctx, key, offset, length)
	if err != nil {
		d.now.Add(-1)
		return nil, err
	}
	return &countedClose{ReadCloser: r, n: &d.now}, nil
}

type countedClose struct {
	io.ReadCloser
	n      *atomic.Int64
	closed bool
}

func (c *countedClose) Close() error {
	if !c.closed {
		c.closed = true
		c.n.Add(-1)
	}
	return c.ReadCloser.Close()
}

// One connection to a distant service carries a fraction of the line. A restore of one large object, a verification and
// a cat use all transfers for it, and never more.
func TestLargeObjectIsFetchedInRangesAtOnce(t *testing.T) {
	t.Parallel()
	s, files := largeArchive(t, largeSize)
	for what, read := range map[string]func(*testing.T, *archive.Archive, *manifest.Manifest){
		"restore": func(t *testing.T, a *archive.Archive, m *manifest.Manifest) {
			to := filepath.Join(t.TempDir(), "r")
			preview, err := a.Restore(t.Context(), m, to, archive.RestoreOptions{DryRun: true})
			if err != nil || preview.Requests != largeSize/largeRange || len(preview.Reads) != 1 ||
				preview.Reads[0].Requests != largeSize/largeRange || preview.Reads[0].Bytes != largeSize {
				t.Errorf("%+v, %v", preview, err)
			}
			if _, err := a.Restore(t.Context(), m, to, archive.RestoreOptions{}); err != nil {
				t.Fatal(err)
			}
			compare(t, to, files)
		},
		"verify": func(t *testing.T, a *archive.Archive, _ *manifest.Manifest) {
			r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true})
			if err != nil || len(r.Problems) > 0 || r.ReadBytes != largeSize {
				t.Errorf("%+v, %v", r, err)
			}
		},
		"cat": func(t *testing.T, a *archive.Archive, m *manifest.Manifest) {
			var b bytes.Buffer
			if err := a.Cat(t.Context(), m, largeName, &b); err != nil || !bytes.Equal(b.Bytes(), files[largeName]) {
				t.Errorf("%d bytes, %v", b.Len(), err)
			}
		},
	} {
		virtually(t, func(t *testing.T) {
			d := &distantStore{Store: s}
			a := readLarge(d, archive.Options{Transfers: 6})
			m := newest(t, a)
			start := time.Now()
			read(t, a, m)
			// 18 ranges, six at once: three seconds, and some pauses of what else is read.
			if took := time.Since(start); took > 6*time.Second || d.most.Load() != 6 || d.requests.Load() != 18 {
				t.Errorf("%s: %v, %d requests, %d at once", what, took, d.requests.Load(), d.most.Load())
			}
		})
	}
}

// Files that wait for a transfer go before the ranges of one that has it, and all of them together stay within the
// number of transfers. An operator limits them to protect the provider and the line.
func TestRangesLeaveTransfersToFiles(t *testing.T) {
	t.Parallel()
	s, files := largeArchive(t, largeSize, 300, 300, 300, 300, 300, 300, largeSize)
	for _, transfers := range []int{1, 2, 3} {
		virtually(t, func(t *testing.T) {
			d := &distantStore{Store: s}
			a := readLarge(d, archive.Options{Transfers: transfers})
			to := filepath.Join(t.TempDir(), "r")
			if _, err := a.Restore(t.Context(), newest(t, a), to, archive.RestoreOptions{}); err != nil {
				t.Fatal(err)
			}
			compare(t, to, files)
			if most := d.most.Load(); most != int64(transfers) {
				t.Errorf("%d requests at once, want %d", most, transfers)
			}
			if n := d.requests.Load(); transfers == 1 && n != 8 {
				t.Errorf("%d requests for 8 files, one at a time", n)
			}
		})
	}
}

// A nearStore is read at full rate by one request, as a directory is.
type nearStore struct{ *distantStore }

func (nearStore) ReadsAtFullRate() {}

// Ranges from a local disk cost a fifth more processor time than one stream, and save nothing.
func TestNoRangesFromADirectory(t *testing.T) {
	t.Parallel()
	s, files := largeArchive(t, largeSize)
	virtually(t, func(t *testing.T) {
		d := &distantStore{Store: s}
		a := readLarge(nearStore{d}, archive.Options{Transfers: 4})
		to := filepath.Join(t.TempDir(), "r")
		if _, err := a.Restore(t.Context(), newest(t, a), to, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		compare(t, to, files)
		if n := d.requests.Load(); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

// A wholeStore sends objects from their beginning on, and no other ranges of content.
type wholeStore struct{ *distantStore }

func (w wholeStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if offset > 0 && strings.HasPrefix(key, manifest.DataPrefix) {
		return nil, fmt.Errorf("getting %s: %w", key, store.ErrNoRanges)
	}
	return w.distantStore.Get(ctx, key, offset, length)
}

// A proxy that ignores ranges must not stop a restore, which one request for each object can do. The operation finds
// that out once, and logs it.
func TestServiceWithoutRangesIsReadWhole(t *testing.T) {
	t.Parallel()
	s, files := largeArchive(t, largeSize, largeSize+1, largeSize+2)
	virtually(t, func(t *testing.T) {
		d := &distantStore{Store: s}
		var log bytes.Buffer
		o := archive.Options{Transfers: 5, Log: slog.New(slog.NewTextHandler(&log, nil))}
		a := readLarge(wholeStore{d}, o)
		to := filepath.Join(t.TempDir(), "r")
		if _, err := a.Restore(t.Context(), newest(t, a), to, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		compare(t, to, files)
		if n := strings.Count(log.String(), store.ErrNoRanges.Error()); n != 1 {
			t.Errorf("%d warnings: %s", n, &log)
		}
		if n := d.requests.Load(); n > 6 {
			t.Errorf("%d requests for 3 objects", n)
		}
	})
}

// A swappingStore has another object of the same size under each key of content: from the half on, as if another
// program replaced the object between two ranges. Requests of everything get the first one as long as isMixing.
type swappingStore struct {
	store.Store
	isMixing bool
}

func (s *swappingStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := s.Store.Get(ctx, key, offset, length)
	if err != nil || !strings.HasPrefix(key, manifest.DataPrefix) || s.isMixing && length == largeSize {
		return r, err
	}
	return &flippedBody{r, offset}, nil
}

type flippedBody struct {
	io.ReadCloser
	at int64
}

func (f *flippedBody) Read(b []byte) (int, error) {
	n, err := f.ReadCloser.Read(b)
	for i := range b[:n] {
		if f.at+int64(i) >= largeSize/2 {
			b[i] ^= 0xff
		}
	}
	f.at += int64(n)
	return n, err
}

// Ranges of two objects are no object. The hash of the whole finds that: no file gets its name, and the error names the
// object as damaged. If only parallel requests mix objects, one request for all of it restores the file.
func TestRangesOfAnotherObjectAreNotRestored(t *testing.T) {
	t.Parallel()
	s, files := largeArchive(t, largeSize)
	for _, isMixing := range []bool{false, true} {
		virtually(t, func(t *testing.T) {
			a := readLarge(&swappingStore{s, isMixing}, archive.Options{Transfers: 4})
			to := filepath.Join(t.TempDir(), "r")
			m := newest(t, a)
			_, err := a.Restore(t.Context(), m, to, archive.RestoreOptions{})
			if isMixing {
				if err != nil {
					t.Fatal(err)
				}
				compare(t, to, files)
				return
			}
			if !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), m.Files[0].Parts[0].Object) {
				t.Errorf("%v, want ErrDamaged and the object's key", err)
			}
			if exists(to) || exists(to+archive.PartialSuffix, largeName) {
				t.Error("the file has its name")
			}
		})
	}
}

// Compressed and encrypted content is decoded in order, from stored bytes that arrive in ranges.
func TestEncodedObjectIsFetchedInRanges(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	db, s := t.TempDir(), storetest.Memory(t)
	random := rand.NewChaCha8([32]byte{2})
	b := make([]byte, largeSize)
	random.Read(b)
	files := map[string][]byte{largeName: b}
	writeFiles(t, db, files)
	src := (&database{t: t, dir: db}).source()
	if _, err := archive.New(s, archive.Options{Encoder: encoder(t, encoding.Zstd, id)}).Backup(t.Context(), src, options); err != nil {
		t.Fatal(err)
	}
	d := &contentRead{Store: s}
	a := readLarge(d, archive.Options{Transfers: 4, Decoder: decoder(id)})
	to := filepath.Join(t.TempDir(), "r")
	if _, err := a.Restore(t.Context(), newest(t, a), to, archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	compare(t, to, files)
	if n := d.requests.Load(); n < largeSize/largeRange {
		t.Errorf("%d requests", n)
	}
}

// An interrupted restore of a large object ends at once, although all its ranges wait for the provider, and the same
// command continues it.
func TestRangesEndWithTheRestore(t *testing.T) {
	t.Parallel()
	s, files := largeArchive(t, largeSize)
	virtually(t, func(t *testing.T) {
		d := &distantStore{Store: s}
		a := readLarge(d, archive.Options{Transfers: 4})
		m, to := newest(t, a), filepath.Join(t.TempDir(), "r")
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := a.Restore(ctx, m, to, archive.RestoreOptions{})
		if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 1600*time.Millisecond {
			t.Errorf("after %v: %v", took, err)
		}
		if n := d.now.Load(); n != 0 {
			t.Errorf("%d requests are open after the end", n)
		}
		if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the set has its name: %v", err)
		}
		if _, err := a.Restore(t.Context(), m, to, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		compare(t, to, files)
	})
}
