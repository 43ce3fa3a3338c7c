package encoding

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Errors of reading a stream that Decode returned; test with errors.Is.
var (
	// ErrDamaged: the stored bytes are not an encoding of content with the expected size.
	ErrDamaged = errors.New("the stored bytes are damaged")
	// ErrNoIdentity: the object is encrypted, and none of the identities decrypts it.
	ErrNoIdentity = errors.New("no identity opens this")
)

// Decoder reads stored objects. It is safe for concurrent use.
type Decoder struct {
	identities []age.Identity
	reserve    []string  // their public keys
	pool       sync.Pool // of *zstd.Decoder
}

// NewDecoder returns a Decoder with these identities. Without any, it decodes only objects that are not encrypted.
func NewDecoder(identities ...age.Identity) *Decoder {
	d := &Decoder{identities: slices.Clone(identities), reserve: publicKeys(identities)}
	d.pool.New = func() any {
		// With a concurrency of 1, it runs in the reading goroutine and needs no Close.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			panic("encoding: " + err.Error()) // the options are constants
		}
		return z
	}
	return d
}

// Opens reports whether the Decoder has any identity.
func (d *Decoder) Opens() bool { return len(d.identities) > 0 }

// Match returns nil if one of the identities belongs to one of the recipients, and ErrNoIdentity otherwise. It reads
// nothing. The error does not name the recipients; the caller adds them. An identity that does not state its public
// key may belong to any recipient, so Match then returns nil.
func (d *Decoder) Match(recipients []string) error {
	if len(d.reserve) < len(d.identities) || slices.ContainsFunc(d.reserve, func(key string) bool { return slices.Contains(recipients, key) }) {
		return nil
	}
	return (&reader{d: d}).noIdentity()
}

// IsOf reports whether there are identities and all of them belong to this recipient. If so, the recipient can
// decrypt everything that the Decoder decrypts.
func (d *Decoder) IsOf(recipient string) bool {
	others := slices.ContainsFunc(d.reserve, func(key string) bool { return key != recipient })
	return len(d.reserve) > 0 && len(d.reserve) == len(d.identities) && !others
}

// HeadSize is the greatest number of bytes that CanOpen reads.
const HeadSize = maxHeader + 8<<10

// CanOpen checks by the beginning of an encrypted object whether an identity decrypts it. If none does, it returns
// ErrNoIdentity, or ErrDamaged for an invalid header.
func (d *Decoder) CanOpen(stored io.Reader) error {
	r := &reader{d: d, stored: &keeper{Reader: stored}, encrypted: true}
	return r.open()
}

// Decode returns a reader of the plain content of stored bytes; the content is size bytes long. The bytes that it
// returns are valid only if the stream ends in io.EOF and their hash is right. The caller must check the hash, since
// zstd has a weak checksum and Plain has none.
//
// Any damage of the stored bytes is reported as ErrDamaged. An error of stored itself is wrapped and is not
// ErrDamaged.
//
// Recipients are the public keys to which the object was encrypted; nil if unknown. A manifest's recipients are
// these if their manifest.RecipientsTag is the one in the object's key. With recipients, ErrNoIdentity names the
// identity that is needed, and a damaged header is reported as ErrDamaged.
//
// Close releases memory; it does not close stored.
func (d *Decoder) Decode(stored io.Reader, encoding string, size int64, recipients []string) io.ReadCloser {
	r := &reader{d: d, recipients: recipients, want: size, stored: &keeper{Reader: stored}}
	r.compressed, r.encrypted, r.err = steps(encoding)
	if r.err == nil && (size < 0 || size > manifest.MaxFileSize) {
		r.err = fmt.Errorf("%w: %d bytes are not between 0 and %d", ErrDamaged, size, int64(manifest.MaxFileSize))
	}
	return r
}

// reader decodes one stream.
type reader struct {
	d                     *Decoder
	compressed, encrypted bool
	recipients            []string
	want, got             int64 // plain bytes

	stored    *keeper
	decrypted *keeper       // nil if nothing is encrypted
	zstd      *zstd.Decoder // nil if nothing is compressed, and once closed
	plain     io.Reader     // nil before the first Read
	err       error         // what every later Read returns
}

func (r *reader) Read(b []byte) (int, error) {
	if r.err == nil && r.plain == nil {
		r.err = r.open()
	}
	if r.err != nil {
		return 0, r.err
	}
	if len(b) == 0 && r.want > r.got {
		return 0, nil
	}
	n, err := 0, error(nil)
	if r.got < r.want {
		n, err = r.plain.Read(b[:min(int64(len(b)), r.want-r.got)])
		r.got += int64(n)
	}
	switch {
	case err != nil && err != io.EOF:
		r.err = r.explain(err)
	case r.got == r.want:
		r.err = r.end()
	case err == io.EOF:
		r.err = r.explain(fmt.Errorf("they hold %d bytes, not %d: %w", r.got, r.want, io.ErrUnexpectedEOF))
	}
	if r.err != nil && r.err != io.EOF && r.got == r.want {
		return 0, r.err // never returns the last byte of a stream with a wrong end
	}
	return n, r.err
}

// Close makes every later Read fail.
func (r *reader) Close() error {
	if r.zstd != nil {
		r.zstd.Reset(nil) // never fails, as it was not closed
		r.d.pool.Put(r.zstd)
		r.zstd = nil
	}
	r.plain, r.err = nil, errClosed
	return nil
}

var errClosed = errors.New("reading a decoded stream after it was closed")

// open reads the age header, if there is one, and sets up the decoders.
func (r *reader) open() error {
	r.plain = r.stored
	r.stored.limit = 2*r.want + 1<<20
	if r.encrypted {
		if len(r.d.identities) == 0 {
			return r.noIdentity()
		}
		all := r.stored.limit
		r.stored.limit = HeadSize // age reads a little ahead
		plain, err := age.Decrypt(r.stored, r.d.identities...)
		r.stored.limit = all
		if errors.As(err, new(*age.NoIdentityMatchError)) && r.stored.err == nil {
			return r.noIdentity()
		}
		if err != nil {
			return r.explain(err)
		}
		r.decrypted = &keeper{Reader: plain, limit: all}
		r.plain = r.decrypted
	}
	if r.compressed {
		r.zstd = r.d.pool.Get().(*zstd.Decoder)
		if err := r.zstd.Reset(r.plain); err != nil {
			return fmt.Errorf("decompressing: %w", err)
		}
		r.plain = r.zstd
	}
	return nil
}

// end checks that nothing follows the last byte, and returns io.EOF if so.
func (r *reader) end() error {
	var b [1]byte
	for {
		n, err := r.plain.Read(b[:])
		switch {
		case n > 0:
			return r.explain(fmt.Errorf("they hold more than the %d bytes that were stored", r.want))
		case err == io.EOF && r.cut():
			return r.explain(io.ErrUnexpectedEOF)
		case err == io.EOF:
			return io.EOF
		case err != nil:
			return r.explain(err)
		}
	}
}

// cut reports whether the stream was cut where the zstd decoder reports a regular end: at a failure between two
// frames, or without any frame.
func (r *reader) cut() bool {
	packed := r.stored
	if r.decrypted != nil {
		packed = r.decrypted
	}
	return r.stored.err != nil || packed.err != nil || r.compressed && packed.n == 0
}

// explain returns the error to report: a failure of the source, or ErrDamaged.
func (r *reader) explain(err error) error {
	switch {
	case errors.Is(r.stored.err, errLong):
		err = r.stored.err
	case r.stored.err != nil:
		return fmt.Errorf("reading the stored bytes: %w", r.stored.err)
	case r.decrypted != nil && r.decrypted.err != nil:
		err = r.decrypted.err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: they end too early: %.300v", ErrDamaged, err)
	}
	// Errors of age quote the bytes that it has read, so their length is limited.
	return fmt.Errorf("%w: %.300v", ErrDamaged, err)
}

// noIdentity returns ErrNoIdentity with the recipients whose identities decrypt the object.
func (r *reader) noIdentity() error {
	have := fmt.Sprintf("none of the %d given does", len(r.d.identities))
	if len(r.d.identities) == 0 {
		have = "none was given"
	}
	for _, own := range r.d.reserve {
		if slices.Contains(r.recipients, own) {
			return fmt.Errorf("%w: the identity of %s, which they are encrypted to, does not open them", ErrDamaged, own)
		}
	}
	need := ""
	if len(r.recipients) > 0 {
		shown := r.recipients[:min(len(r.recipients), 20)]
		need = "; it needs that of " + strings.Join(shown, " or ")
		if more := len(r.recipients) - len(shown); more > 0 {
			need += fmt.Sprintf(" or %d more", more)
		}
	}
	return fmt.Errorf("%w: %s%s", ErrNoIdentity, have, need)
}

// keeper counts and limits the bytes read, and stores the error of a failed read.
type keeper struct {
	io.Reader
	n, limit int64
	err      error
}

var errLong = errors.New("they continue after their expected end")

func (k *keeper) Read(b []byte) (int, error) {
	if k.err != nil {
		return 0, k.err
	}
	// One more than the limit, so that a stream that ends at the limit is not refused.
	n, err := k.Reader.Read(b[:min(int64(len(b)), k.limit+1-k.n)])
	if k.n += int64(n); k.n > k.limit {
		n, err = 0, errLong
	}
	if err != nil && err != io.EOF {
		k.err = err
	}
	return n, err
}
