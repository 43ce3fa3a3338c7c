package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
)

const (
	// maxGap is the largest gap in bytes between two parts of a bundle that is read and discarded. A larger gap is
	// skipped with a second request.
	maxGap = 256 << 10
	// maxRun bounds the bytes of one request, so that several are in flight.
	maxRun = 4 << 20
)

// GroupByBundle groups files, by their index, into runs that one request can fetch. The files of a run have their only
// parts close together in one bundle, in the order of the offsets. Any other file is a run of its own. Runs are in the
// order of their first files.
func GroupByBundle(files []manifest.File) [][]int {
	bundles := map[string][]int{}
	var runs [][]int
	for i := range files {
		if p := &files[i].Parts[0]; len(files[i].Parts) == 1 && p.Stored.Offset != nil {
			bundles[p.Object] = append(bundles[p.Object], i)
		} else {
			runs = append(runs, []int{i})
		}
	}
	for _, in := range bundles {
		slices.SortFunc(in, func(a, b int) int {
			return cmp.Compare(OffsetOf(&files[a].Parts[0]), OffsetOf(&files[b].Parts[0]))
		})
		for len(in) > 0 {
			n := runLength(files, in)
			runs = append(runs, in[:n])
			in = in[n:]
		}
	}
	slices.SortFunc(runs, func(a, b []int) int { return cmp.Compare(a[0], b[0]) })
	return runs
}

// runLength returns how many of the files, in the order of their offsets, one request fetches.
func runLength(files []manifest.File, in []int) int {
	begin := OffsetOf(&files[in[0]].Parts[0])
	end := begin
	for n, i := range in {
		p := &files[i].Parts[0]
		from, to := OffsetOf(p), OffsetOf(p)+p.Stored.Size
		if n > 0 && (from < end || from-end > maxGap || to-begin > maxRun) {
			return n
		}
		end = to
	}
	return len(in)
}

// A bundleReader reads a run of files with one request, from its first byte to its last. It is not safe for concurrent
// use.
type bundleReader struct {
	a      *Objects
	slots  *Slots
	stored *ResumingReader // nil if each file is fetched by itself
	at     int64           // the current offset of stored in the bundle
}

// OpenBundle begins to read a run. It sends no request before the first file is fetched.
func (a *Objects) OpenBundle(ctx context.Context, s *Slots, files []manifest.File, run []int) *bundleReader {
	r := &bundleReader{a: a, slots: s}
	if len(run) > 1 {
		first, last := &files[run[0]].Parts[0], &files[run[len(run)-1]].Parts[0]
		r.at = OffsetOf(first)
		r.stored = a.ReadRange(ctx, first.Object, r.at, OffsetOf(last)+last.Stored.Size-r.at)
	}
	return r
}

// Fetch writes the content of the next file of the run. If that fails, it fetches the file again by itself, which
// reports the exact error.
func (r *bundleReader) Fetch(ctx context.Context, f *manifest.File, to sink) error {
	if r.stored == nil {
		return r.a.FetchFile(ctx, r.slots, f, to)
	}
	p := &f.Parts[0]
	err := r.skipTo(OffsetOf(p))
	if err == nil {
		r.at += p.Stored.Size
		err = r.a.copyPart(p, io.LimitReader(r.stored, p.Stored.Size), to)
	}
	if err == nil {
		return nil
	}
	if errors.As(err, new(*OpenError)) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %s: %w", f.Name, p.Object, err)
	}
	r.Close() // its position is unknown now
	if err := to.Rewind(0); err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return r.a.FetchFile(ctx, r.slots, f, to)
}

func (r *bundleReader) skipTo(offset int64) error {
	_, err := io.CopyN(io.Discard, r.stored, offset-r.at)
	r.at = offset
	return err
}

func (r *bundleReader) Close() {
	if r.stored != nil {
		r.stored.Close()
		r.stored = nil
	}
}

func OffsetOf(p *manifest.Part) int64 {
	if p.Stored.Offset == nil {
		return 0
	}
	return *p.Stored.Offset
}
