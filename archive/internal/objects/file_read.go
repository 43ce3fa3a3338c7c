package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Undecrypted counts encrypted content that was not compared with its plain hash.
type Undecrypted struct{ Parts, Bytes atomic.Int64 }

// A sink receives the plain content of a file. Rewind returns to a length that was reached before, when a section must
// be fetched again.
type sink interface {
	io.Writer
	Rewind(length int64) error
}

// Discard is the sink for callers that only check the content.
type Discard struct{}

func (Discard) Write(b []byte) (int, error) { return len(b), nil }

func (Discard) Rewind(int64) error { return nil }

// FetchFile writes the content of a file to the sink, and checks each part and the whole against their hashes. It
// fetches a part again that does not arrive intact, up to FetchAttempts times. After that, or if an object is missing,
// the error is ErrDamaged and names the object and the file. The sink's content is valid only if the error is nil. The
// caller holds one of the slots; large parts use more of them.
func (a *Objects) FetchFile(ctx context.Context, s *Slots, f *manifest.File, to sink) error {
	whole := digest.NewSHA256()
	var done int64
	for i := range f.Parts {
		p := &f.Parts[i]
		before := whole.Clone()
		again := func() error {
			*whole = *before.Clone()
			return to.Rewind(done)
		}
		into := io.Writer(to)
		if len(f.Parts) > 1 { // else the part's own hash is the file's
			into = io.MultiWriter(to, whole)
		}
		if err := a.FetchPart(ctx, s, p, into, again); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		done += p.Size
	}
	if len(f.Parts) > 1 && whole.Sums().SHA256 != f.SHA256 {
		return fmt.Errorf("%s: its parts are correct, and do not make up the file: %w", f.Name, values.ErrDamaged)
	}
	return nil
}

// missingObject is an ErrDamaged for an absent object. Error omits the store's message, which only repeats the key;
// Unwrap returns it.
type missingObject struct {
	object string
	err    error
}

func (m *missingObject) Error() string {
	return fmt.Sprintf("%s is missing: %v", m.object, values.ErrDamaged)
}

func (m *missingObject) Unwrap() []error { return []error{values.ErrDamaged, m.err} }

// FetchPart writes the plain content of one part. It calls again before each new attempt, which uses no other slots than
// the caller's: ranges that do not fit together may be the service's fault, and one request is of one object.
func (a *Objects) FetchPart(ctx context.Context, s *Slots, p *manifest.Part, to io.Writer, again func() error) error {
	for attempt := 0; ; attempt++ {
		err := a.fetchOnce(ctx, s, p, to)
		var local *SinkError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &local):
			return local.Err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			return &missingObject{p.Object, err}
		case errors.Is(err, store.ErrNoRanges) && OffsetOf(p) == 0 && attempt < FetchAttempts-1:
			s.stopRanges(a.Log)
		case errors.As(err, new(*OpenError)):
			return fmt.Errorf("%s: %w", p.Object, err)
		case errors.Is(err, values.ErrNoIdentity):
			if damage := a.checkSealed(ctx, p); damage != nil {
				err = damage
			}
			return fmt.Errorf("%s: %w", p.Object, err)
		case attempt == FetchAttempts-1:
			return fmt.Errorf("%s, after %d attempts: %w", p.Object, FetchAttempts, err)
		}
		s = nil
		if err := again(); err != nil {
			return err
		}
		if err := Pause(ctx, attempt); err != nil {
			return err
		}
	}
}

// SinkError is a failure of the receiving side: fetching again would not help.
type SinkError struct{ Err error }

func (e *SinkError) Error() string { return e.Err.Error() }

// SinkWriter marks the errors of a writer as the receiving side's.
type SinkWriter struct{ io.Writer }

func (l SinkWriter) Write(b []byte) (int, error) {
	n, err := l.Writer.Write(b)
	if err != nil {
		err = &SinkError{err}
	}
	return n, err
}

func (a *Objects) fetchOnce(ctx context.Context, s *Slots, p *manifest.Part, to io.Writer) error {
	var offset int64
	if p.Stored.Offset != nil {
		offset = *p.Stored.Offset
	}
	if p.Stored.Size == 0 && p.Stored.Offset != nil {
		return CheckPart(p, digest.NewSHA256().Sums()) // an empty range cannot be requested
	}
	stored := a.readStored(ctx, s, p.Object, offset, p.Stored.Size)
	defer stored.Close()
	return a.copyPart(p, stored, to)
}

// copyPart writes the plain content of a part whose stored bytes come from a reader, and
// checks it.
func (a *Objects) copyPart(p *manifest.Part, stored io.Reader, to io.Writer) error {
	if a.Undecrypted != nil && Encrypted(p.Encoding) && !a.Decoder.Opens() {
		err := a.checkStored(p, stored)
		if err == nil {
			a.Undecrypted.Parts.Add(1)
			a.Undecrypted.Bytes.Add(p.Size)
			a.Progress.BytesDone.Add(p.Size)
		}
		return err
	}
	plain, raw := stored, (*digest.Hasher)(nil)
	if p.Encoding != manifest.Plain {
		if a.Undecrypted != nil { // another program may decode the stored bytes, so they are checked too
			raw = digest.NewSHA256()
			stored = io.TeeReader(stored, raw)
		}
		decoded := a.Decoder.Decode(stored, p.Encoding, p.Size, nil)
		defer decoded.Close()
		plain = decoded
	}
	s := digest.NewSHA256()
	out := io.MultiWriter(SinkWriter{to}, s, progressWriter{a.Progress})
	// One byte more than expected already shows the damage. This limits the output of a decompression bomb.
	_, err := bufcopy.All(out, io.LimitReader(plain, p.Size+1))
	if err == nil {
		err = CheckPart(p, s.Sums())
	}
	if err == nil && raw != nil && raw.Sums().SHA256 != p.Stored.SHA256 {
		err = fmt.Errorf("%w: its content is correct, but its stored bytes hash to %s, not to %s",
			values.ErrDamaged, raw.Sums().SHA256, p.Stored.SHA256)
	}
	return AsDamage(err)
}

// checkStored checks the stored bytes of a part that cannot be decrypted here. It writes nothing.
func (a *Objects) checkStored(p *manifest.Part, stored io.Reader) error {
	s := digest.NewSHA256()
	if _, err := io.Copy(s, io.LimitReader(stored, p.Stored.Size+1)); err != nil {
		return err
	}
	if got := s.Sums(); got.Size != p.Stored.Size || got.SHA256 != p.Stored.SHA256 {
		return fmt.Errorf("%w: its stored bytes hash to %s, not to %s", values.ErrDamaged, got.SHA256, p.Stored.SHA256)
	}
	return nil
}

// checkSealed checks whether a part that no identity opens still has the stored bytes. A damaged header matches no
// identity either.
func (a *Objects) checkSealed(ctx context.Context, p *manifest.Part) error {
	stored := a.ReadRange(ctx, p.Object, OffsetOf(p), p.Stored.Size)
	defer stored.Close()
	return a.checkStored(p, stored)
}

func CheckPart(p *manifest.Part, got store.Sums) error {
	if got.Size == p.Size && got.SHA256 == p.SHA256 {
		return nil
	}
	if got.Size != p.Size {
		return fmt.Errorf("%w: its content does not have the %d bytes that were stored", values.ErrDamaged, p.Size)
	}
	return fmt.Errorf("%w: its content hashes to %s, not to %s", values.ErrDamaged, got.SHA256, p.SHA256)
}
