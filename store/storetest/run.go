package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Options describe the properties of a store that Run tests.
type Options struct {
	// Checksums means that Stat returns the CRC-32C of every object.
	Checksums bool
	// HashesAll means that Put also detects wrong bytes by their SHA-256, not only by their CRC-32C.
	HashesAll bool
	// Boundary is the largest size that is sent in one request, and Part the size of the parts of larger objects,
	// in bytes. If they are 0, there are no parts.
	Boundary, Part int64
	// Uploads counts the data of interrupted Puts of a key that the provider has and no listing shows. Nil disables
	// this check.
	Uploads func(t *testing.T, s store.Store, key string) int
	// SameVersion means that content that is put again after a delete has the same Version.
	SameVersion bool
	// IgnoresVersions means that the service deletes whatever exists. ComparesVersions means that the adapter itself
	// compares the version of a single object all the same.
	IgnoresVersions, ComparesVersions bool
	// NoVersions means that the store returns no versions, and deletes whatever exists.
	NoVersions bool
	// NoEscapes means that the store refuses keys with what gocloud.dev takes for an escaped character.
	NoEscapes bool
	// BadListing is set for a service whose listings by directory have faults if they start after a key. Such a List
	// must return this error or be right. All other listings must be right. The suite fails if no List returns the
	// error, because the option is not needed then.
	BadListing error
	// BadDelete means that the service cannot delete a missing object whose key is that of a directory: "here" beside
	// "here/a". No archive has such keys.
	BadDelete bool
	// Many is the number of keys in a listing with the pages of the service. If it is 0, the listing has a few hundred
	// keys, in several small pages.
	Many int
}

// deadline ends every operation of the suite.
const deadline = 15 * time.Minute

// Run checks that a store meets the contract of store.Store. For each test, fresh returns an empty store, for which
// a separate prefix is sufficient. Run never calls fresh concurrently.
func Run(t *testing.T, fresh func(t *testing.T) store.Store, o Options) {
	tests := []struct {
		name string
		test func(*testing.T, store.Store, Options)
	}{
		{"RaceOfDifferentContents", raceOfDifferentContents},
		{"RaceOfTheSameContent", raceOfTheSameContent},
		{"Rewrite", rewrite},
		{"Sizes", sizes},
		{"SourceFails", sourceFails},
		{"SourceIsShort", sourceIsShort},
		{"SourceIsLonger", sourceIsLonger},
		{"SourceChanges", sourceChanges},
		{"WrongPromise", wrongPromise},
		{"Cancel", cancelMidway},
		{"CanceledBefore", canceledBefore},
		{"Ranges", ranges},
		{"RangesAtOnce", rangesAtOnce},
		{"Missing", missing},
		{"Keys", keys},
		{"BadKeys", badKeys},
		{"ListOrder", listOrder},
		{"ListMany", listMany},
		{"Delete", deleteSome},
		{"DeleteOfAVersion", deleteVersions},
		{"RacingRepairs", racingRepairs},
		{"Trial", trial},
		{"Sweep", sweep},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			s := fresh(t)
			t.Parallel()
			c.test(t, s, o)
		})
	}
}

// content is a sequence of pseudo-random bytes that is the same in each read and needs no memory.
type content struct {
	seed uint64
	size int64
}

const block = 4096

// ReadAt implements io.ReaderAt.
func (c content) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && off < c.size {
		r := rand.New(rand.NewPCG(c.seed, uint64(off/block)))
		var buf [block]byte
		for i := 0; i < block; i += 8 {
			v := r.Uint64()
			for j := range 8 {
				buf[i+j] = byte(v >> (8 * j))
			}
		}
		end := min(block, c.size-off/block*block)
		m := copy(b[n:], buf[off%block:end])
		n, off = n+m, off+int64(m)
	}
	if off >= c.size {
		return n, io.EOF
	}
	return n, nil
}

func (c content) sums() store.Sums { return sumsOfReader(io.NewSectionReader(c, 0, c.size)) }

// sumsOfReader hashes a reader that cannot fail.
func sumsOfReader(r io.Reader) store.Sums {
	sha, crc := sha256.New(), crc32.New(digest.Castagnoli)
	n, err := io.Copy(io.MultiWriter(sha, crc), r)
	if err != nil {
		panic(err)
	}
	return store.Sums{Size: n, SHA256: manifest.Hash(sha.Sum(nil)), CRC32C: manifest.CRC32C(crc.Sum32())}
}

func put(t *testing.T, s store.Store, key string, b []byte) store.PutResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	stored, err := s.Put(ctx, key, bytes.NewReader(b), SumsOf(b))
	if err != nil {
		t.Fatalf("Put %s: %v", key, err)
	}
	return stored
}

func tryPut(t *testing.T, s store.Store, key string, body io.ReaderAt, sums store.Sums) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	_, err := s.Put(ctx, key, body, sums)
	return err
}

func get(t *testing.T, s store.Store, key string, offset, length int64) []byte {
	t.Helper()
	r, err := s.Get(t.Context(), key, offset, length)
	if err != nil {
		t.Fatalf("Get %s %d+%d: %v", key, offset, length, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading %s %d+%d: %v", key, offset, length, err)
	}
	return b
}

// list collects a listing and checks its order.
func list(t *testing.T, s store.Store, prefix, delimiter, after string) []store.Object {
	t.Helper()
	return listWith(t.Context(), t, s, prefix, delimiter, after)
}

// listWith is list with a context.
func listWith(ctx context.Context, t *testing.T, s store.Store, prefix, delimiter, after string) []store.Object {
	t.Helper()
	all, err := tryList(ctx, t, s, prefix, delimiter, after)
	if err != nil {
		t.Fatalf("List %q %q %q: %v", prefix, delimiter, after, err)
	}
	return all
}

// tryList is list for listings that may return an error.
func tryList(ctx context.Context, t *testing.T, s store.Store, prefix, delimiter, after string) ([]store.Object, error) {
	t.Helper()
	var all []store.Object
	for o, err := range s.List(ctx, prefix, delimiter, after) {
		if err != nil {
			return nil, err
		}
		if n := len(all); n > 0 && all[n-1].Key >= o.Key {
			t.Fatalf("List %q %q %q: %q comes after %q", prefix, delimiter, after, o.Key, all[n-1].Key)
		}
		all = append(all, o)
	}
	return all, nil
}

// nothing checks that a failed Put left no object and no upload.
func nothing(t *testing.T, s store.Store, o Options, key string) {
	t.Helper()
	if _, err := s.Stat(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after a failed Put, Stat %s: %v, want fs.ErrNotExist", key, err)
	}
	if got := list(t, s, "", "", ""); len(got) != 0 {
		t.Errorf("after a failed Put the listing shows %v", got)
	}
	if o.Uploads != nil {
		if n := o.Uploads(t, s, key); n != 0 {
			t.Errorf("a failed Put left %d uploads behind", n)
		}
	}
}

// hasContent checks an object's content by one Stat and one Get.
func hasContent(t *testing.T, s store.Store, o Options, key string, sums store.Sums) {
	t.Helper()
	got, err := s.Stat(t.Context(), key)
	switch {
	case err != nil:
		t.Fatalf("Stat %s: %v", key, err)
	case got.Key != key || got.Size != sums.Size || got.IsDir || got.Modified.IsZero():
		t.Errorf("Stat %s: %+v, want %d bytes", key, got, sums.Size)
	case got.CRC32C == nil && o.Checksums:
		t.Errorf("Stat %s returns no checksum", key)
	case got.CRC32C != nil && *got.CRC32C != sums.CRC32C:
		t.Errorf("Stat %s: CRC-32C %s, want %s", key, got.CRC32C, sums.CRC32C)
	}
	r, err := s.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatalf("Get %s: %v", key, err)
	}
	defer r.Close()
	sha := sha256.New()
	if n, err := io.Copy(sha, r); err != nil || n != sums.Size {
		t.Fatalf("reading %s: %d bytes, %v; want %d", key, n, err, sums.Size)
	}
	if manifest.Hash(sha.Sum(nil)) != sums.SHA256 {
		t.Errorf("%s reads back with other bytes", key)
	}
}
