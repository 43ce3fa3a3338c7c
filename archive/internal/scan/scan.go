package scan

import (
	"context"
	"io"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/store"
)

// A Scan is the result of one read of a log file.
type Scan struct {
	Whole       store.Sums       // of the stored bytes: all bytes, or a tail's up to its last whole entry
	Prefix      manifest.Hash    // of its first bytes, as many as the parent's entry has; zero if not all are whole
	Rest        store.Sums       // of the bytes after the prefix; those of whole if prefix is zero
	Log         *entries.Result  // nil if entries are not checked
	HasTrailing *entries.Problem // of a tail: why bytes after its last whole entry are no entry, unless it is cut short
}

// A Scanner reads a log file once for its checksums and the entry check. It can continue at its position once a tail
// has grown.
type Scanner struct {
	tail  bool            // only the bytes up to the last whole entry count
	Log   *entries.Reader // nil if entries are not checked: all bytes count
	at    int64           // the next byte to read
	Whole *digest.Hasher
	Rest  *digest.Hasher // of the bytes after the prefix; nil before that

	// The checksums at the end of the last whole entry.
	wholeThen, RestThen *digest.Hasher
}

func NewScanner(f *source.File, layout source.Layout) *Scanner {
	s := &Scanner{tail: f.State == source.Tail, Log: layout.EntryReader(f.Name), Whole: digest.New()}
	s.mark()
	return s
}

// Copy returns an independent scanner, at the end of the last whole entry.
func (s *Scanner) Copy() *Scanner {
	c := *s
	c.Whole = s.Whole.Clone()
	if s.Log != nil {
		log := *s.Log
		c.Log = &log
	}
	c.mark()
	return &c
}

// Read continues to byte to of the file.
func (s *Scanner) Read(ctx context.Context, r io.ReaderAt, to int64) error {
	err := bufcopy.Range(ctx, r, s.at, to, s)
	s.at = to
	return err
}

func (s *Scanner) Write(b []byte) (int, error) {
	n := len(b)
	if s.Log != nil {
		s.Log.Write(b)
		if whole := s.Log.End() - s.Whole.Size(); s.tail && whole > 0 {
			s.hash(b[:whole])
			s.mark()
			b = b[whole:]
		}
	}
	s.hash(b)
	return n, nil
}

func (s *Scanner) hash(b []byte) {
	s.Whole.Write(b)
	if s.Rest != nil {
		s.Rest.Write(b)
	}
}

func (s *Scanner) mark() {
	if !s.tail || s.Log == nil {
		return
	}
	s.wholeThen, s.RestThen = s.Whole.Clone(), s.Rest.Clone()
}

// Rewind returns to the end of the last whole entry, as if no byte after it had been read.
func (s *Scanner) Rewind() {
	if s.wholeThen != nil {
		s.Whole, s.Rest = s.wholeThen.Clone(), s.RestThen.Clone()
		s.at = s.Log.Resume()
	}
}

// trailingTries is how often the bytes after the last whole entry of a tail are read before they count as no entry, or
// as damaged. The database may be writing them.
const trailingTries = 4

// File reads a file of size bytes to its end. The bytes after the first prefix bytes also get checksums of their own.
// prefix is 0 if no content can be shared.
func (s *Scanner) File(ctx context.Context, r io.ReaderAt, size, prefix int64, before TailBefore) (Scan, error) {
	var d Scan
	for try := 1; ; try++ {
		if err := s.all(ctx, r, size, prefix, &d); err != nil {
			return d, err
		}
		broken, err := s.isDamagedTail(ctx, r, size, before, d.Prefix)
		if err != nil {
			return d, err
		}
		if d.HasTrailing = s.trailingProblem(); broken || d.HasTrailing != nil {
			changed, err := s.awaitChange(ctx, r, size, &try)
			if err != nil {
				return d, err
			}
			if changed {
				s.Rewind()
				continue
			}
		}
		s.end(&d, broken)
		return d, nil
	}
}

// all reads the remaining bytes of a file.
func (s *Scanner) all(ctx context.Context, r io.ReaderAt, size, prefix int64, d *Scan) error {
	if s.at < prefix {
		if err := s.Read(ctx, r, prefix); err != nil {
			return err
		}
	}
	if prefix > 0 && s.Rest == nil {
		d.Prefix = s.Whole.Sums().SHA256
		s.Rest = digest.New()
		if s.Log == nil || s.Log.End() == prefix {
			s.mark()
		}
	}
	return s.Read(ctx, r, size)
}

// awaitChange waits until the bytes after the last whole entry of a tail have changed, for the tries that are left.
func (s *Scanner) awaitChange(ctx context.Context, r io.ReaderAt, size int64, try *int) (bool, error) {
	for ; *try < trailingTries; *try++ {
		if err := objects.Pause(ctx, 0); err != nil {
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
func (s *Scanner) changed(ctx context.Context, r io.ReaderAt, size int64) (bool, error) {
	log := *s.Log
	end := log.Resume()
	for at := end; at < size && log.End() == end && log.Problem() == nil; {
		to := min(size, at+bufcopy.Size)
		if err := bufcopy.Range(ctx, r, at, to, &log); err != nil {
			return false, err
		}
		at = to
	}
	return log.End() > end || (log.Problem() == nil) != (s.Log.Problem() == nil), nil
}

// isDamagedTail reports whether the bytes after the last whole entry of a tail are damaged, and not merely unfinished.
func (s *Scanner) isDamagedTail(
	ctx context.Context, r io.ReaderAt, size int64, before TailBefore, prefix manifest.Hash,
) (bool, error) {
	if !s.tail || s.Log == nil || s.Log.End() >= size {
		return false, nil
	}
	if res := s.Log.Result(); Unknown(&res) {
		return false, nil
	}
	if before.damages(s.Log.End(), prefix) {
		return true, nil
	}
	return s.Log.Resyncs(ctx, r, size)
}

// trailingProblem returns why the bytes after the last whole entry of a tail are no entry; nil if an entry is merely
// cut short.
func (s *Scanner) trailingProblem() *entries.Problem {
	if !s.tail || s.Log == nil {
		return nil
	}
	if p := s.Log.Problem(); p.Damaged() {
		return p
	}
	return nil
}

// end sets the result. A broken tail is stored up to its last byte, like a closed file.
func (s *Scanner) end(d *Scan, broken bool) {
	whole, rest := s.Whole, s.Rest
	if s.Log != nil {
		res := s.Log.Result()
		d.Log = &res
		switch {
		case !s.tail || Unknown(&res):
		case broken:
			d.HasTrailing = nil
		default:
			whole, rest = s.wholeThen, s.RestThen
			res.Problem = nil
		}
	}
	d.Whole = whole.Sums()
	if rest == nil { // no prefix, or not all of it is whole
		d.Prefix, d.Rest = manifest.Hash{}, d.Whole
		return
	}
	d.Rest = rest.Sums()
}

// MtimeGranularity is the age of a file's last modification from which on a further write changes the file's times.
// Some file systems count in steps of two seconds.
const MtimeGranularity = 2 * time.Second
