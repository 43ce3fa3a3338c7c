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

// What reading a stream that Decode returned reports; test with errors.Is.
var (
	// ErrDamaged: the stored bytes are not an encoding of so many bytes.
	ErrDamaged = errors.New("the stored bytes are damaged")
	// ErrNoIdentity: it is encrypted, and none of the identities opens it.
	ErrNoIdentity = errors.New("no identity opens this")
)

// Decoder reads stored objects. It is safe for concurrent use.
type Decoder struct {
	identities []age.Identity
	reserve    []string  // their public keys
	pool       sync.Pool // of *zstd.Decoder
}

// NewDecoder returns a Decoder that has these identities; without any it decodes what is
// not encrypted.
func NewDecoder(identities ...age.Identity) *Decoder {
	d := &Decoder{identities: slices.Clone(identities), reserve: publicKeys(identities)}
	d.pool.New = func() any {
		// One at a time runs in the reading goroutine, and needs no Close.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			panic("encoding: " + err.Error()) // the options are constants
		}
		return z
	}
	return d
}

// Opens reports whether there is any identity.
func (d *Decoder) Opens() bool { return len(d.identities) > 0 }

// Match tells, without reading anything, whether one of the identities is of these
// recipients: otherwise it is ErrNoIdentity, which does not name them, as a caller who has
// them says what they are of. Identities that do not tell their public key may be anybody's.
func (d *Decoder) Match(recipients []string) error {
	if len(d.reserve) < len(d.identities) || slices.ContainsFunc(d.reserve, func(key string) bool { return slices.Contains(recipients, key) }) {
		return nil
	}
	return (&reader{d: d}).noIdentity()
}

// IsOf reports whether there are identities and all of them are this recipient's: then what
// they open, the recipient can open.
func (d *Decoder) IsOf(recipient string) bool {
	others := slices.ContainsFunc(d.reserve, func(key string) bool { return key != recipient })
	return len(d.reserve) > 0 && len(d.reserve) == len(d.identities) && !others
}

// HeadSize is how many bytes CanOpen reads at the most.
const HeadSize = maxHeader + 8<<10

// CanOpen tells by the beginning of an encrypted object whether an identity opens it:
// otherwise it is ErrNoIdentity, or ErrDamaged.
func (d *Decoder) CanOpen(stored io.Reader) error {
	r := &reader{d: d, stored: &keeper{Reader: stored}, encrypted: true}
	return r.open()
}

// Decode returns the plain content of stored bytes, which is size bytes long. What is
// read from it is right only if the stream ends in io.EOF, and only if its hash is right,
// which the caller checks: zstd has a weak checksum and Plain has none.
//
// Anything that is wrong with the stored bytes is ErrDamaged; an error of stored itself
// is wrapped and is not ErrDamaged.
//
// Recipients are those that the object was encrypted to, nil where they are not known: a
// manifest's, if their manifest.RecipientsTag is that of the object's key. They make
// ErrNoIdentity say whose identity is needed, and tell it from a damaged header.
//
// Close gives memory back; it does not close stored.
func (d *Decoder) Decode(stored io.Reader, encoding string, size int64, recipients []string) io.ReadCloser {
	r := &reader{d: d, recipients: recipients, want: size, stored: &keeper{Reader: stored}}
	r.compressed, r.encrypted, r.err = steps(encoding)
	if r.err == nil && (size < 0 || size > manifest.MaxFileSize) {
		r.err = fmt.Errorf("%w: %d bytes are not between 0 and %d", ErrDamaged, size, int64(manifest.MaxFileSize))
	}
	return r
}

// reader is one stream that is decoded.
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
		return 0, r.err // never the last byte of what does not end as it should
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

// open reads the age header, if there is one.
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

// end sees to it that nothing follows the last byte.
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

// cut reports what the zstd decoder takes for an end and is none: a failure between two
// frames, and no frame at all.
func (r *reader) cut() bool {
	packed := r.stored
	if r.decrypted != nil {
		packed = r.decrypted
	}
	return r.stored.err != nil || packed.err != nil || r.compressed && packed.n == 0
}

// explain tells a failure of the source from damage.
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
	// Errors of age quote what they have read.
	return fmt.Errorf("%w: %.300v", ErrDamaged, err)
}

// noIdentity says whose identity would open it.
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
		need = "; it takes that of " + strings.Join(shown, " or ")
		if more := len(r.recipients) - len(shown); more > 0 {
			need += fmt.Sprintf(" or %d more", more)
		}
	}
	return fmt.Errorf("%w: %s%s: name its file with --identity or %s", ErrNoIdentity, have, need, IdentityVariable)
}

// keeper counts and limits what is read, and remembers how that failed.
type keeper struct {
	io.Reader
	n, limit int64
	err      error
}

var errLong = errors.New("they go on where they should have ended")

func (k *keeper) Read(b []byte) (int, error) {
	if k.err != nil {
		return 0, k.err
	}
	// One more than the limit, so that what ends there is not refused.
	n, err := k.Reader.Read(b[:min(int64(len(b)), k.limit+1-k.n)])
	if k.n += int64(n); k.n > k.limit {
		n, err = 0, errLong
	}
	if err != nil && err != io.EOF {
		k.err = err
	}
	return n, err
}
