package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/store"
)

// compareEntries compares the entries of a file with those that the base has of it.
func (r *Source) compareEntries(
	ctx context.Context, content source.Content, f *source.File, was *manifest.File, c *fileComparison,
) error {
	w := &entryComparison{ctx: ctx, now: content, size: f.Size, log: r.Layout.EntryReader(f.Name).Comparer()}
	err := r.readArchived(ctx, was, w)
	switch {
	case errors.Is(err, errArchivedUnreadable):
		return r.compareCounts(ctx, content, f, was, c)
	case err != nil:
		return err
	}
	c.shared = w.log.End()
	if !w.log.Differs() && !w.ended && c.shared == was.Size {
		c.how = likeSame
		return nil
	}
	return r.likenessBehind(ctx, content, f, c)
}

// errArchivedUnreadable: this host cannot read what the base has of a file.
var errArchivedUnreadable = errors.New("the archived version cannot be read here")

// readArchived writes what the base has of a file to w, part by part, until w has found a difference. A part counts only
// after its hash was checked. A host may have no permission to read content, and a cold storage class refuses it too.
func (r *Source) readArchived(ctx context.Context, was *manifest.File, w *entryComparison) error {
	if r.NeedsLostObject(was) {
		return errArchivedUnreadable
	}
	for i := range was.Parts {
		p := &was.Parts[i]
		if objects.Encrypted(p.Encoding) && !r.Repo.Decoder.Opens() {
			return errArchivedUnreadable
		}
		before, log := *w, *w.log
		err := r.Repo.FetchPart(ctx, nil, p, w, func() error {
			*w = before
			*w.log = log
			return nil
		})
		switch {
		case errors.Is(err, values.ErrNoIdentity), errors.Is(err, values.ErrDamaged), errors.Is(err, fs.ErrPermission),
			errors.Is(err, store.ErrFrozen):
			r.Repo.Log.Debug("an archived file cannot be read", "file", was.Name, "error", err)
			return errArchivedUnreadable
		case err != nil:
			return fmt.Errorf("reading the archived version: %w", err)
		}
		r.Repo.Progress.BytesDone.Add(-p.Size) // they are no part of the backup
		switch {
		case w.failed != nil:
			return w.failed
		case w.ended || w.log.Differs():
			return nil
		}
	}
	return nil
}

// An entryComparison is a writer of the archived bytes of a file. It compares them with those of the source.
type entryComparison struct {
	ctx    context.Context
	now    io.ReaderAt
	size   int64 // of the source's file
	at     int64
	log    *entries.Comparer
	ended  bool  // the source's file is shorter
	failed error // of reading the source's file

	buf []byte
}

// Write compares. After a difference it ignores the bytes, so that their hash is checked all the same.
func (w *entryComparison) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 && !w.ended && w.failed == nil && !w.log.Differs() {
		if w.buf == nil {
			w.buf = make([]byte, bufcopy.Size)
		}
		k := min(int64(len(b)), int64(len(w.buf)), w.size-w.at)
		if w.ended = k <= 0; w.ended {
			break
		}
		if _, err := w.now.ReadAt(w.buf[:k], w.at); err != nil && err != io.EOF {
			w.failed = err
			break
		}
		w.log.Compare(b[:k], w.buf[:k])
		w.at += k
		b = b[k:]
	}
	return n, nil
}

// likenessBehind decides what a file has where it ceases to have the archived entries.
func (r *Source) likenessBehind(
	ctx context.Context, content source.Content, f *source.File, c *fileComparison,
) error {
	log, err := r.readEntries(ctx, content, f, c.shared)
	if err != nil {
		return err
	}
	res := log.Result()
	switch {
	case scan.Unknown(&res):
		c.how, c.why = likeUnknown, "its log version is unknown"
	case log.End() > c.shared:
		c.how = likeOther
	case f.Size > c.shared && (f.State == source.Closed || log.Problem().Damaged()):
		c.how = likeDamaged
	default:
		c.how, err = r.likenessOfEnd(f, log.Result().Last)
	}
	return err
}

// readEntries reads the entries of a file until one ends after an offset, or is invalid.
func (r *Source) readEntries(
	ctx context.Context, content io.ReaderAt, f *source.File, behind int64,
) (*entries.Reader, error) {
	log := r.Layout.EntryReader(f.Name)
	for at := int64(0); at < f.Size && log.End() <= behind && log.Problem() == nil; {
		to := min(f.Size, at+bufcopy.Size)
		if err := bufcopy.Range(ctx, content, at, to, log); err != nil {
			return nil, err
		}
		at = to
	}
	return log, nil
}

// likenessOfEnd decides about a file that ends with an archived entry, before the archived version does. A closed file
// lost its end if the next file's header names a later entry.
func (r *Source) likenessOfEnd(f *source.File, last int64) (likeness, error) {
	_, n, _ := r.Layout.Position(f.Name)
	i := slices.IndexFunc(r.Capture.Files, func(g source.File) bool {
		_, m, ok := r.Layout.Position(g.Name)
		return ok && m == n+1
	})
	if f.State == source.Tail || i < 0 {
		return likeCut, nil
	}
	h, err := r.fileHeader(r.Capture.Files[i].Name)
	if err != nil {
		return likeCut, err
	}
	if h != nil && int64(h.Previous) != last {
		return likeDamaged, nil
	}
	return likeCut, nil
}

// compareCounts compares a file with a version that cannot be read here, by what the entry check has recorded. A change
// in place leaves the number of entries and the offset of the last one as they were.
func (r *Source) compareCounts(
	ctx context.Context, content source.Content, f *source.File, was *manifest.File, c *fileComparison,
) error {
	size := min(f.Size, was.Size)
	log := r.Layout.EntryReader(f.Name)
	if err := bufcopy.Range(ctx, content, 0, size, log); err != nil {
		return err
	}
	res := log.Result()
	c.shared = sharedUnknown
	switch {
	case scan.Unknown(&res):
		c.how, c.why = likeUnknown, "its log version is unknown"
	case res.Problem != nil && res.Problem.Kind != entries.Cut:
		c.how = likeDamaged
	case f.Size < was.Size && (res.Problem == nil || f.State == source.Tail):
		var err error
		c.how, err = r.likenessOfEnd(f, res.Last)
		return err
	case res.Problem != nil && f.State == source.Closed && f.Size <= was.Size:
		c.how = likeDamaged
	case isChangedInPlace(&res, was.Check):
		c.how, c.shared = likeSame, was.Size
	default:
		c.how = likeOther
	}
	return nil
}

// isChangedInPlace reports whether two results of the entry check may be those of one log in which the database erased
// entries, or made them invisible, in between.
func isChangedInPlace(now *entries.Result, was *manifest.Check) bool {
	return now.Problem == nil && now.Entries == was.Entries && now.Last == was.Last &&
		(now.Erased != was.Erased || now.Invisible != was.Invisible)
}
