package archive

import (
	"context"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/store"
)

// A scan is the result of one read of a log file.
type scan struct {
	whole       store.Sums       // of the stored bytes: all bytes, or a tail's up to its last whole entry
	prefix      manifest.Hash    // of its first bytes, as many as the parent's entry has; zero if not all are whole
	rest        store.Sums       // of the bytes after the prefix; those of whole if prefix is zero
	log         *entries.Result  // nil if entries are not checked
	hasTrailing *entries.Problem // of a tail: why bytes after its last whole entry are no entry, unless it is cut short
}

// A scanner reads a log file once for its checksums and the entry check. It can continue at its position once a tail
// has grown.
type scanner struct {
	tail  bool            // only the bytes up to the last whole entry count
	log   *entries.Reader // nil if entries are not checked: all bytes count
	at    int64           // the next byte to read
	whole *digest.Hasher
	rest  *digest.Hasher // of the bytes after the prefix; nil before that

	// The checksums at the end of the last whole entry.
	wholeThen, restThen *digest.Hasher
}

func newScanner(f *source.File, layout source.Layout) *scanner {
	s := &scanner{tail: f.State == source.Tail, log: layout.EntryReader(f.Name), whole: digest.New()}
	s.mark()
	return s
}

// copy returns an independent scanner, at the end of the last whole entry.
func (s *scanner) copy() *scanner {
	c := *s
	c.whole = s.whole.Clone()
	if s.log != nil {
		log := *s.log
		c.log = &log
	}
	c.mark()
	return &c
}

// read continues to byte to of the file.
func (s *scanner) read(ctx context.Context, r io.ReaderAt, to int64) error {
	err := bufcopy.Range(ctx, r, s.at, to, s)
	s.at = to
	return err
}

func (s *scanner) Write(b []byte) (int, error) {
	n := len(b)
	if s.log != nil {
		s.log.Write(b)
		if whole := s.log.End() - s.whole.Size(); s.tail && whole > 0 {
			s.hash(b[:whole])
			s.mark()
			b = b[whole:]
		}
	}
	s.hash(b)
	return n, nil
}

func (s *scanner) hash(b []byte) {
	s.whole.Write(b)
	if s.rest != nil {
		s.rest.Write(b)
	}
}

func (s *scanner) mark() {
	if !s.tail || s.log == nil {
		return
	}
	s.wholeThen, s.restThen = s.whole.Clone(), s.rest.Clone()
}

// rewind returns to the end of the last whole entry, as if no byte after it had been read.
func (s *scanner) rewind() {
	if s.wholeThen != nil {
		s.whole, s.rest = s.wholeThen.Clone(), s.restThen.Clone()
		s.at = s.log.Resume()
	}
}

// trailingTries is how often the bytes after the last whole entry of a tail are read before they count as no entry, or
// as damaged. The database may be writing them.
const trailingTries = 4

// file reads a file of size bytes to its end. The bytes after the first prefix bytes also get checksums of their own.
// prefix is 0 if no content can be shared.
func (s *scanner) file(ctx context.Context, r io.ReaderAt, size, prefix int64, before tailBefore) (scan, error) {
	var d scan
	for try := 1; ; try++ {
		if err := s.all(ctx, r, size, prefix, &d); err != nil {
			return d, err
		}
		broken, err := s.isDamagedTail(ctx, r, size, before, d.prefix)
		if err != nil {
			return d, err
		}
		if d.hasTrailing = s.trailingProblem(); broken || d.hasTrailing != nil {
			changed, err := s.awaitChange(ctx, r, size, &try)
			if err != nil {
				return d, err
			}
			if changed {
				s.rewind()
				continue
			}
		}
		s.end(&d, broken)
		return d, nil
	}
}

// all reads the remaining bytes of a file.
func (s *scanner) all(ctx context.Context, r io.ReaderAt, size, prefix int64, d *scan) error {
	if s.at < prefix {
		if err := s.read(ctx, r, prefix); err != nil {
			return err
		}
	}
	if prefix > 0 && s.rest == nil {
		d.prefix = s.whole.Sums().SHA256
		s.rest = digest.New()
		if s.log == nil || s.log.End() == prefix {
			s.mark()
		}
	}
	return s.read(ctx, r, size)
}

// awaitChange waits until the bytes after the last whole entry of a tail have changed, for the tries that are left.
func (s *scanner) awaitChange(ctx context.Context, r io.ReaderAt, size int64, try *int) (bool, error) {
	for ; *try < trailingTries; *try++ {
		if err := pause(ctx, 0); err != nil {
			return false, err
		}
		if changed, err := s.changed(ctx, r, size); changed || err != nil {
			return changed, err
		}
	}
	return false, nil
}

// changed reports whether a whole entry follows the last one now, or an unfinished entry where there was none. It reads
// no more than that entry.
func (s *scanner) changed(ctx context.Context, r io.ReaderAt, size int64) (bool, error) {
	log := *s.log
	end := log.Resume()
	for at := end; at < size && log.End() == end && log.Problem() == nil; {
		to := min(size, at+bufcopy.Size)
		if err := bufcopy.Range(ctx, r, at, to, &log); err != nil {
			return false, err
		}
		at = to
	}
	return log.End() > end || (log.Problem() == nil) != (s.log.Problem() == nil), nil
}

// isDamagedTail reports whether the bytes after the last whole entry of a tail are damaged, and not merely unfinished.
func (s *scanner) isDamagedTail(
	ctx context.Context, r io.ReaderAt, size int64, before tailBefore, prefix manifest.Hash,
) (bool, error) {
	if !s.tail || s.log == nil || s.log.End() >= size {
		return false, nil
	}
	if res := s.log.Result(); unknown(&res) {
		return false, nil
	}
	if before.damages(s.log.End(), prefix) {
		return true, nil
	}
	return s.log.Resyncs(ctx, r, size)
}

// trailingProblem returns why the bytes after the last whole entry of a tail are no entry; nil if an entry is merely
// cut short.
func (s *scanner) trailingProblem() *entries.Problem {
	if !s.tail || s.log == nil {
		return nil
	}
	if p := s.log.Problem(); p.Damaged() {
		return p
	}
	return nil
}

// end sets the result. A broken tail is stored up to its last byte, like a closed file.
func (s *scanner) end(d *scan, broken bool) {
	whole, rest := s.whole, s.rest
	if s.log != nil {
		res := s.log.Result()
		d.log = &res
		switch {
		case !s.tail || unknown(&res):
		case broken:
			d.hasTrailing = nil
		default:
			whole, rest = s.wholeThen, s.restThen
			res.Problem = nil
		}
	}
	d.whole = whole.Sums()
	if rest == nil { // no prefix, or not all of it is whole
		d.prefix, d.rest = manifest.Hash{}, d.whole
		return
	}
	d.rest = rest.Sums()
}
