//go:build linux

package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/unix"
)

const (
	inFlight  = 8        // the product's default
	wholeUpTo = 16 << 20 // the largest object in one request, as in the product
	partSize  = 8 << 20  // for larger objects, as in the product up to 70 GiB
)

// floor measures the lower bound of a transfer's cost: as a separate process, it does only what name means, with
// the files of dir and a bucket.
func floor(name, dir, bucket, to string) error {
	s := newServer(os.Getenv("STRONGROOM_TEST_S3"))
	f := floors{s, dir, bucket}
	switch name {
	case "put":
		return f.all(f.putOne)
	case "copy":
		return f.all(f.copyOne)
	case "zstd":
		return f.all(f.zstdOne)
	case "seal":
		return f.all(f.sealOne)
	case "get":
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
		err := f.all(func(name string, _ int64) error { return f.getOne(name, filepath.Join(to, name)) })
		return errors.Join(err, syncAll(to))
	case "read":
		return f.all(func(name string, _ int64) error { return f.getOne(name, "") })
	case "sample":
		var n atomic.Int64
		return f.all(func(name string, _ int64) error {
			if n.Add(1)%10 != 0 {
				return nil
			}
			return f.getOne(name, "")
		})
	}
	return fmt.Errorf("there is no floor %q", name)
}

type floors struct {
	server *server
	dir    string
	bucket string
}

// all calls do for all files, several at once.
func (f *floors) all(do func(name string, size int64) error) error {
	files, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	names := make(chan os.DirEntry)
	go func() {
		defer close(names)
		for _, file := range files {
			names <- file
		}
	}()
	return each(inFlight, names, func(file os.DirEntry) error {
		info, err := file.Info()
		if err != nil {
			return err
		}
		return do(file.Name(), info.Size())
	})
}

// each calls do for each received element, in n goroutines, and continues after an error.
func each[T any](n int, what <-chan T, do func(T) error) error {
	var mu sync.Mutex
	var errs []error
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			for one := range what {
				if err := do(one); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// putOne sends as many bytes as the file has, from memory.
func (f *floors) putOne(name string, size int64) error {
	path := f.bucket + "/" + name
	if size > wholeUpTo {
		return f.inParts(path, size, func(n int64) ([]byte, error) { return random()[:n], nil }, func([]byte) {})
	}
	return f.server.put(path, random()[:size])
}

// copyOne reads and hashes a file, and sends it.
func (f *floors) copyOne(name string, size int64) error {
	file, err := os.Open(filepath.Join(f.dir, name))
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	read := func(n int64) ([]byte, error) {
		b := buffers.Get().(*[wholeUpTo]byte)[:n]
		_, err := io.ReadFull(file, b)
		sum.Write(b)
		return b, err
	}
	path := f.bucket + "/" + name
	if size > wholeUpTo {
		return f.inParts(path, size, read, release)
	}
	b, err := read(size)
	if err != nil {
		return err
	}
	defer release(b)
	return f.server.put(path, b)
}

// zstdOne reads, hashes and compresses a file, and sends the result.
func (f *floors) zstdOne(name string, size int64) error {
	b, err := f.compressed(name, size)
	if err != nil {
		return err
	}
	return f.server.put(f.bucket+"/"+name, b)
}

// sealOne is zstdOne with encryption after the compression: the cipher of age, in the same pieces, with a key that
// is the same for all files.
func (f *floors) sealOne(name string, size int64) error {
	b, err := f.compressed(name, size)
	if err != nil {
		return err
	}
	aead, err := chacha20poly1305.New(make([]byte, chacha20poly1305.KeySize))
	if err != nil {
		return err
	}
	const piece = 64 << 10
	sealed := make([]byte, 0, len(b)+(len(b)/piece+1)*aead.Overhead())
	nonce := make([]byte, aead.NonceSize())
	for plain := range slices.Chunk(b, piece) {
		sealed = aead.Seal(sealed, nonce, plain, nil)
		nonce[0]++
	}
	return f.server.put(f.bucket+"/"+name, sealed)
}

// compressed reads, hashes and compresses a file.
func (f *floors) compressed(name string, size int64) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		return nil, err
	}
	sha256.Sum256(b)
	encoder := encoders.Get().(*zstd.Encoder)
	defer encoders.Put(encoder)
	return encoder.EncodeAll(b, make([]byte, 0, size/2)), nil
}

var encoders = sync.Pool{New: func() any {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err) // no option can be wrong
	}
	return encoder
}}

// buffers have the size of the largest object in one request.
var buffers = sync.Pool{New: func() any { return new([wholeUpTo]byte) }}

// random returns the bytes that floor put sends, always the same ones.
var random = sync.OnceValue(func() []byte {
	b := make([]byte, wholeUpTo)
	seeded(0).Read(b)
	return b
})

// pieces are buffers for what is not held as a whole.
var pieces = sync.Pool{New: func() any { return new([256 << 10]byte) }}

func release(b []byte) {
	buffers.Put((*[wholeUpTo]byte)(b[:wholeUpTo]))
}

// inParts sends a large file: it reads the parts one after another and sends several at once.
func (f *floors) inParts(path string, size int64, read func(int64) ([]byte, error), release func([]byte)) error {
	id, err := f.server.begin(path)
	if err != nil {
		return err
	}
	type part struct {
		i int
		b []byte
	}
	etags := make([]string, (size+partSize-1)/partSize)
	parts, readErr := make(chan part), error(nil)
	go func() {
		defer close(parts)
		for i := range etags {
			var b []byte
			if b, readErr = read(min(partSize, size-int64(i)*partSize)); readErr != nil {
				return
			}
			parts <- part{i, b}
		}
	}()
	err = each(inFlight, parts, func(p part) (err error) {
		etags[p.i], err = f.server.putPart(path, id, p.i+1, p.b)
		release(p.b)
		return err
	})
	if err := errors.Join(err, readErr); err != nil {
		return err
	}
	return f.server.complete(path, id, etags)
}

// getOne fetches and hashes an object and, with a target, writes it to a file.
func (f *floors) getOne(name, target string) error {
	answer, err := f.server.do("GET", f.bucket+"/"+name, nil, nil, 0)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	buf := pieces.Get().(*[256 << 10]byte)
	defer pieces.Put(buf)
	sum := sha256.New()
	if target == "" {
		_, err := io.CopyBuffer(struct{ io.Writer }{sum}, answer.Body, buf[:])
		return err
	}
	file, err := os.Create(target)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(file, sum)}, answer.Body, buf[:])
	return errors.Join(err, file.Close())
}

// syncAll makes everything durable that was written to the file system of a directory.
func syncAll(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
