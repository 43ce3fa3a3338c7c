package encoding

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Encoded is an encoded object before it is sent. It is an io.ReaderAt of Stored.Size bytes, which can be read
// repeatedly and from several goroutines at once, until it is closed.
type Encoded struct {
	Encoding string
	Plain    store.Sums // of the plain content; the caller must compare it with the expected sums
	Stored   store.Sums // of the encoded bytes

	mu   sync.RWMutex
	body body // nil once closed
}

// body stores the bytes of an Encoded.
type body interface {
	io.Writer
	io.ReaderAt
	// seal releases unused space after the last write.
	seal()
	// close releases all space. It is called once.
	close() error
}

// ReadAt implements io.ReaderAt; after Close it returns os.ErrClosed. So a sender that still reads after its request
// was abandoned never reads another object's bytes.
func (x *Encoded) ReadAt(b []byte, offset int64) (int, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if x.body == nil {
		return 0, os.ErrClosed
	}
	return x.body.ReadAt(b, offset)
}

// Close releases the memory, or deletes the scratch file. It may be called more than once.
func (x *Encoded) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.body == nil {
		return nil
	}
	err := x.body.close()
	x.body = nil
	return err
}

// Encode reads size bytes and encodes them; with manifest.Plain, it copies them. It reads no further. If the content
// ends earlier, it returns io.ErrUnexpectedEOF. It wraps errors of src.
//
// It waits for memory in the budget, or for space for a scratch file, and for one of the workers. If ctx ends first,
// it returns the cause of ctx. After ten seconds it uses this Encoder's own reserve, a scratch file instead of memory
// and a worker, so that other Encoders that hang do not block it. If the missing space is not held by an open scratch
// file, it does not wait and returns ErrNoSpace.
//
// Close releases the space. A goroutine must close each object before it encodes the next: otherwise it may wait for
// space that it holds itself.
func (e *Encoder) Encode(ctx context.Context, src io.Reader, size int64, encoding string) (*Encoded, error) {
	compress, encrypt, err := steps(encoding)
	switch {
	case err != nil:
		return nil, err
	case encrypt && len(e.recipients) == 0:
		return nil, errors.New("encrypting: there are no recipients")
	case size < 0 || size > manifest.MaxFileSize:
		return nil, fmt.Errorf("encoding: %d bytes are not between 0 and %d", size, int64(manifest.MaxFileSize))
	}
	b, err := e.room(ctx, e.bound(size, compress, encrypt))
	if err != nil {
		return nil, fmt.Errorf("encoding %d bytes: %w", size, err)
	}
	x := &Encoded{Encoding: encoding, body: b}
	// Space first, then a worker: while it waits for space, it holds nothing that others wait for.
	release, err := e.work(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("encoding %d bytes: %w", size, err), x.Close())
	}
	defer release()
	if err := e.write(ctx, x, io.LimitReader(src, size), size, compress, encrypt); err != nil {
		return nil, errors.Join(fmt.Errorf("encoding %d bytes: %w", size, err), x.Close())
	}
	b.seal()
	return x, nil
}

// steps returns the steps of an encoding.
func steps(encoding string) (compressed, encrypted bool, err error) {
	switch encoding {
	case manifest.Plain:
		return false, false, nil
	case manifest.Zstd:
		return true, false, nil
	case manifest.Age:
		return false, true, nil
	case manifest.ZstdAge:
		return true, true, nil
	}
	return false, false, fmt.Errorf("encoding %.40q is unknown to this version", encoding)
}

const (
	ageChunk    = 64 << 10 // of plain bytes
	ageOverhead = 16       // of each chunk
)

// Most returns the greatest stored size of content of this size, in bytes.
func (e *Encoder) Most(size int64) int64 {
	return e.bound(size, e.compress, len(e.recipients) > 0)
}

// bound returns the greatest size of content of this size after these steps.
func (e *Encoder) bound(size int64, compress, encrypt bool) int64 {
	if compress {
		// Frame header and checksum, and 3 bytes for each block of 64 KiB or more.
		size += 32 + 3*(size>>16+1)
	}
	if encrypt {
		size += e.header + ageOverhead*(size/ageChunk+1)
	}
	return size
}

// write sends the content through the steps into the body.
func (e *Encoder) write(ctx context.Context, x *Encoded, src io.Reader, size int64, compress, encrypt bool) error {
	plain, stored := digest.New(), digest.New()
	var w io.Writer = io.MultiWriter(x.body, stored)
	var encrypted io.WriteCloser
	if encrypt {
		var err error
		if encrypted, err = age.Encrypt(w, e.recipients...); err != nil {
			return fmt.Errorf("encrypting: %w", err)
		}
		w = encrypted
	}
	var compressed *zstd.Encoder
	if compress {
		compressed = e.compressors.Get().(*zstd.Encoder)
		defer e.compressors.Put(compressed)
		defer compressed.Reset(nil) // waits for running goroutines, and drops the reference to the body
		compressed.ResetContentSize(w, size)
		w = compressed
	}
	if err := e.feed(ctx, io.MultiWriter(plain, w), src, size); err != nil {
		return err
	}
	if compress {
		if err := compressed.Close(); err != nil {
			return err
		}
	}
	if encrypt {
		if err := encrypted.Close(); err != nil {
			return err
		}
	}
	x.Plain, x.Stored = plain.Sums(), stored.Sums()
	return nil
}

// feed copies exactly size bytes.
func (e *Encoder) feed(ctx context.Context, w io.Writer, src io.Reader, size int64) error {
	buf := e.chunks.Get().(*[chunkSize]byte)
	defer e.chunks.Put(buf)
	for done := int64(0); done < size; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := src.Read(buf[:])
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		done += int64(n)
		switch {
		case err == io.EOF && done < size:
			return fmt.Errorf("the content ends after %d bytes: %w", done, io.ErrUnexpectedEOF)
		case err != nil && err != io.EOF:
			return fmt.Errorf("reading the content: %w", err)
		}
	}
	return nil
}
