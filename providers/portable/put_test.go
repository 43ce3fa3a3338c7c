package portable

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"runtime"
	"strings"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

var errDisk = errors.New("input/output error")

// brokenSource fails at the end of its content.
type brokenSource struct{ *strings.Reader }

func (b brokenSource) ReadAt(p []byte, off int64) (int, error) {
	n, _ := b.Reader.ReadAt(p, off)
	if off+int64(n) == b.Size() {
		return n - 1, errDisk
	}
	return n, nil
}

func isMissing(t *testing.T, s store.Store, key string) {
	t.Helper()
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat %s: %v, want fs.ErrNotExist", key, err)
	}
}

func contentOf(t *testing.T, s store.Store, key string) string {
	t.Helper()
	r, err := s.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A source fails. The writer is canceled before it is closed, so nothing is created. If a driver creates an object all
// the same, and reports success, Put deletes that object. With the
// key free again, the next Put succeeds.
func TestPutWhenTheSourceFails(t *testing.T) {
	t.Parallel()
	for _, ignores := range []bool{false, true} {
		f, s, correct := newFaulty(t)
		if ignores {
			f.newWriter = func(w *faultyWriter) driver.Writer { return deaf{w} }
		}
		_, err := s.Put(t.Context(), "data/a", brokenSource{strings.NewReader("some content")}, storetest.SumsOf([]byte("some content")))
		if !errors.Is(err, errDisk) {
			t.Errorf("%v, want the source's error", err)
		}
		isMissing(t, correct, "data/a")
		if _, err := storetest.PutBytes(t, s, "data/a", []byte("some content")); err != nil {
			t.Error(err)
		}
	}
}

// deaf is a writer of a driver that takes an error of its source for the end.
type deaf struct{ *faultyWriter }

func (d deaf) Upload(r io.Reader) error {
	_, _ = io.Copy(d.faultyWriter, r)
	return nil
}

// A service stores other bytes than it was sent. Put reads them back, deletes the object, sends it again, and returns an
// error if that does not help. The error is not that of a source that changed.
func TestPutOfDamage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		times int
		ok    bool
	}{{1, true}, {100, false}} {
		f, s, correct := newFaulty(t)
		left := c.times
		f.spoil = func(b []byte) []byte {
			if left--; left < 0 {
				return b
			}
			b = bytes.Clone(b)
			b[0] ^= 1
			return b
		}
		stored, err := storetest.PutBytes(t, s, "data/a", []byte("some content"))
		if (err == nil) != c.ok || stored.Existed || errors.Is(err, store.ErrMismatch) {
			t.Errorf("damaged %d times: %+v, %v", c.times, stored, err)
		}
		if c.ok && contentOf(t, correct, "data/a") != "some content" {
			t.Error("other content")
		}
		if !c.ok {
			isMissing(t, correct, "data/a")
		}
	}
}

// While Put reads back what it stored damaged, another process deletes that and creates the correct object. Put must not
// delete what it has not put.
func TestPutDeletesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	f, s, correct := newFaulty(t)
	f.spoil = func([]byte) []byte { return []byte("damaged") }
	f.read = func(ctx context.Context, other *adapter) {
		f.read = nil
		if err := other.Delete(ctx, store.AnyVersion("data/a")); err != nil {
			t.Error(err)
		}
		if _, err := storetest.PutBytes(t, other, "data/a", []byte("another's")); err != nil {
			t.Error(err)
		}
	}
	if _, err := storetest.PutBytes(t, s, "data/a", []byte("content")); !errors.Is(err, store.ErrExists) {
		t.Errorf("%v, want ErrExists", err)
	}
	if got := contentOf(t, correct, "data/a"); got != "another's" {
		t.Errorf("%q", got)
	}
}

// A writer reports an error although the object was created: the answer was lost. The object counts if it has the right
// content. Otherwise it stays, since it may be another writer's.
func TestPutWhenTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	f, s, correct := newFaulty(t)
	f.created = func() error { return io.ErrUnexpectedEOF }
	if stored, err := storetest.PutBytes(t, s, "data/a", []byte("content")); err != nil || !stored.Existed {
		t.Errorf("%+v, %v", stored, err)
	}
	f.spoil = func([]byte) []byte { return []byte("damaged") }
	if _, err := storetest.PutBytes(t, s, "data/b", []byte("content")); !errors.Is(err, store.ErrExists) {
		t.Errorf("%v, want ErrExists", err)
	}
	if got := contentOf(t, correct, "data/b"); got != "damaged" {
		t.Errorf("%q", got)
	}
}

// Credentials that may not delete leave what was stored damaged. The error states that.
func TestPutOfDamageThatCannotBeDeleted(t *testing.T) {
	t.Parallel()
	f, _, _ := newFaulty(t)
	f.spoil = func([]byte) []byte { return []byte("damaged") }
	s := open(t, blob.NewBucket(&undeletable{f}))
	_, err := storetest.PutBytes(t, s, "data/a", []byte("content"))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	err = s.PutWithWrongChecksum(t.Context(), "probe/a/wrong", []byte("content"))
	if err == nil || !strings.Contains(err.Error(), "cannot be deleted") {
		t.Errorf("%v", err)
	}
}

type undeletable struct{ *faulty }

func (u *undeletable) Delete(context.Context, string, *driver.DeleteOptions) error {
	return fs.ErrPermission
}

// Objects stream: a Put of many chunks allocates a few of them, and not the object.
func TestPutStreams(t *testing.T) { // not parallel: it counts what the process allocates
	const size = 96 << 20
	f, s, _ := newFaulty(t)
	sent := int64(0)
	f.newWriter = func(w *faultyWriter) driver.Writer { return &counting{w, &sent} }
	f.reader = func(offset, length int64) driver.Reader {
		about := driver.ReaderAttributes{Size: size}
		return cloud.NewObjectReader(io.NopCloser(io.NewSectionReader(zeros{}, offset, size-offset)), length, about)
	}
	sums := digest.New()
	if _, err := io.Copy(sums, io.NewSectionReader(zeros{}, 0, size)); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := s.Put(t.Context(), "data/a", zeros{}, sums.Sums())
	runtime.ReadMemStats(&after)
	if err != nil || sent != size {
		t.Errorf("%d bytes were sent, %v", sent, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > size/8 {
		t.Errorf("%d bytes were allocated for an object of %d", used, size)
	}
}

type zeros struct{}

func (zeros) ReadAt(b []byte, _ int64) (int, error) {
	clear(b)
	return len(b), nil
}

// counting creates an empty object, and counts what it should have.
type counting struct {
	*faultyWriter
	sent *int64
}

func (c *counting) Write(b []byte) (int, error) {
	*c.sent += int64(len(b))
	return len(b), nil
}

// The number of requests for one object has a limit at S3, and Google's chunks have a unit.
func TestChunks(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{0, 1, chunkLeast, 1 << 30, 70 << 30, 5 << 40} {
		chunk := int64(chunkOf(size))
		if chunk < chunkLeast || chunk%(256<<10) != 0 || size/chunk >= 10_000 {
			t.Errorf("%d bytes: chunks of %d", size, chunk)
		}
	}
}

// What a driver takes for a missing object, and is none, must not pass for one: a verify would report it as missing.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want cloud.Kind
	}{
		{fmt.Errorf("blob: %w", errors.New("googleapi: Error 403: not allowed, forbidden")), cloud.Denied},
		{errors.New("googleapi: got HTTP response code 403 with body: no"), cloud.Denied},
		{fmt.Errorf("get: %w", &net.DNSError{Err: "no such host", IsNotFound: true}), cloud.Unreachable},
		{&serviceError{"ConditionalRequestConflict"}, cloud.Busy},
		{context.Canceled, cloud.Canceled},
		{io.ErrUnexpectedEOF, cloud.Broken},
	} {
		if got := dialect.Classify(c.err); got != c.want {
			t.Errorf("%v: kind %v, want %v", c.err, got, c.want)
		}
	}
}

type serviceError struct{ code string }

func (e *serviceError) Error() string     { return e.code }
func (e *serviceError) ErrorCode() string { return e.code }
