package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
)

// recognize returns the evidence that a source is the parent's database although no content shows it. The text follows
// on "recognized by"; it is "" if there is no evidence. A cleaner that has replaced every file leaves such a source.
// All its numbers are higher than the parent's: lower ones belong to a database that was created where the parent's had
// been. tail is the name of the parent's tail if both have it.
func (r *Source) recognize(ctx context.Context, m contentMatch, tail string) (how string, err error) {
	if !r.comesAfter() {
		return "", nil
	}
	if tail != "" {
		return r.recognizeTail(ctx, m, tail)
	}
	if r.sameDirectory() {
		return "its directory", nil
	}
	return r.sameLog()
}

// recognizeTail is recognize for a source that has only the parent's tail in common. A power loss may have removed what
// was not on the disk, except for the file's header, which the archive has too. If the archived header is encrypted and
// cannot be read, the source's header must fit the parent.
func (r *Source) recognizeTail(ctx context.Context, m contentMatch, name string) (how string, err error) {
	parent := r.Parent()
	h, err := r.fileHeader(name)
	if err != nil {
		return "", err
	}
	was := scan.Entry(parent.Files, name)
	if h == nil {
		if m != tailDiffers && r.sameDirectory() {
			return "its directory", nil
		}
		return "", nil
	}
	if b := r.archivedBeginning(ctx, was, len(h.bytes)); b != nil {
		if bytes.Equal(b, h.bytes) {
			return "the header of that file", nil
		}
		return "", nil
	}
	fits := (was.Check == nil || was.Check.Previous == int64(h.Previous)) && h.Time <= parent.Created.UnixMilli()
	if fits && r.sameDirectory() {
		return "its directory", nil
	}
	return "", nil
}

// comesAfter reports whether all numbers in the source are above those of the parent, in each sequence of numbers. Both
// may have the parent's last file.
func (r *Source) comesAfter() bool {
	parent := r.Parent()
	last := map[string]*manifest.File{}
	for i := range parent.Files {
		f := &parent.Files[i]
		group, _, ok := r.Layout.Position(f.Name)
		if ok && (last[group] == nil || r.Layout.Compare(last[group].Name, f.Name) < 0) {
			last[group] = f
		}
	}
	return !slices.ContainsFunc(r.Capture.Files, func(f source.File) bool {
		group, n, ok := r.Layout.Position(f.Name)
		was := last[group]
		if !ok || was == nil || f.Name == was.Name {
			return false
		}
		_, end, _ := r.Layout.Position(was.Name)
		return n <= end
	})
}

// sameDirectory reports whether the source, or a directory in it that holds log files, is certainly the same directory
// as when the parent was made.
func (r *Source) sameDirectory() bool {
	if r.Seen.Dirs[""].Same(r.Capture.Dirs[""]) {
		return true
	}
	return slices.ContainsFunc(r.Capture.Files, func(f source.File) bool {
		dir := dirOf(f.Name)
		return r.Seen.Dirs[dir].Same(r.Capture.Dirs[dir])
	})
}

// sameLog searches the file headers of JE and Noxu for evidence of the parent's database. Either the file after the
// parent's last file names the last entry of that file. Or all files of the source, whose numbers are above the
// parent's, were begun after the parent's capture. The first of them may have been begun earlier: the capture then left
// it out, as it was being written or had no entries.
func (r *Source) sameLog() (string, error) {
	parent := r.Parent()
	last := lastOf(r.Layout, parent.Files)
	if last == nil {
		return "", nil
	}
	_, end, _ := r.Layout.Position(last.Name)
	isNext := func(f source.File) bool { _, n, ok := r.Layout.Position(f.Name); return ok && n == end+1 }
	if i := slices.IndexFunc(r.Capture.Files, isNext); i >= 0 && last.Check != nil && last.Check.Last > 0 {
		next := r.Capture.Files[i].Name
		h, err := r.fileHeader(next)
		if err != nil {
			return "", err
		}
		if h != nil && last.Check.Last == int64(h.Previous) {
			return "the header of " + next + ", which follows on " + last.Name, nil
		}
	}
	later := 0
	for i := range r.Capture.Files {
		h, err := r.fileHeader(r.Capture.Files[i].Name)
		switch {
		case err != nil:
			return "", err
		case h == nil:
		case h.Time >= parent.Created.UnixMilli():
			later++
		case !isNext(r.Capture.Files[i]):
			return "", nil
		}
	}
	if later == 0 {
		return "", nil
	}
	return "the numbers of its files and the times in their headers", nil
}

// A fileHeader is the header of a log file, and its bytes.
type fileHeader struct {
	entries.Result
	bytes []byte
}

// headerBytes is how much of a log file certainly holds its header.
const headerBytes = 64

// fileHeader reads the header of a captured file; nil if the file has no known header.
func (r *Source) fileHeader(name string) (*fileHeader, error) {
	reader := r.Layout.EntryReader(name)
	if reader == nil {
		return nil, nil
	}
	content, err := r.Capture.Peek(name)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", name, err)
	}
	defer content.Close()
	b := make([]byte, headerBytes)
	n, err := content.ReadAt(b, 0)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading the header of %s: %w", name, err)
	}
	reader.Write(b[:n])
	if res := reader.Result(); res.HeaderSize > 0 {
		return &fileHeader{res, b[:res.HeaderSize]}, nil
	}
	return nil, nil
}

// errEnough ends a read early.
var errEnough = errors.New("enough was read")

// A startWriter keeps the first bytes that are written to it, up to its capacity, and then returns errEnough.
type startWriter []byte

func (s *startWriter) Write(b []byte) (int, error) {
	n := min(len(b), cap(*s)-len(*s))
	*s = append(*s, b[:n]...)
	if n < len(b) {
		return n, errEnough
	}
	return n, nil
}

// archivedBeginning reads the first n bytes of a file from the archive; nil if this host cannot read them, or if there
// are fewer.
func (r *Source) archivedBeginning(ctx context.Context, f *manifest.File, n int) []byte {
	p := &f.Parts[0]
	if objects.Encrypted(p.Encoding) && !r.Repo.Decoder.Opens() || p.Size < int64(n) || r.NeedsLostObject(f) {
		return nil
	}
	b := make(startWriter, 0, n)
	err := r.Repo.FetchPart(ctx, nil, p, &b, func() error { b = b[:0]; return nil })
	if err != nil && !errors.Is(err, errEnough) {
		r.Repo.Log.Debug("the beginning of an archived file cannot be read", "file", f.Name, "error", err)
		return nil
	}
	return b
}

// lastOf returns the last file in the layout's order, or nil.
func lastOf(layout source.Layout, files []manifest.File) (last *manifest.File) {
	for i := range files {
		if _, _, ok := layout.Position(files[i].Name); ok && (last == nil || layout.Compare(last.Name, files[i].Name) < 0) {
			last = &files[i]
		}
	}
	return last
}

// dirOf is the directory of a log file below the source, "" for the source itself.
func dirOf(name string) string {
	if dir := path.Dir(name); dir != "." {
		return dir
	}
	return ""
}

// warnRecognized warns that little or nothing of the parent is left in the source. shared is
// the one file that both have, if any.
func (r *Source) warnRecognized(how, shared string) {
	parent := r.Parent()
	if shared != "" {
		r.Warn("of snapshot %d only %s is left in the source, and it has changed; the source was recognized by %s",
			parent.Sequence, shared, how)
		return
	}
	lost := ""
	if gaps := r.gaps(); len(gaps) > maxGaps {
		lost = fmt.Sprintf("; no snapshot holds %s, nor the files of %d more gaps",
			strings.Join(gaps[:maxGaps], ", "), len(gaps)-maxGaps)
	} else if len(gaps) > 0 {
		lost = "; no snapshot holds " + strings.Join(gaps, ", ")
	}
	r.Warn("no file of snapshot %d is left in the source, which was recognized by %s%s", parent.Sequence, how, lost)
}

// maxGaps is the maximum number of ranges that a warning names.
const maxGaps = 5

// gaps names the log files that neither the parent nor the source has, from the parent's last to the source's last. The
// database deleted them between the two captures.
func (r *Source) gaps() (gaps []string) {
	parent := r.Parent()
	last := lastOf(r.Layout, parent.Files)
	if last == nil {
		return nil
	}
	group, end, _ := r.Layout.Position(last.Name)
	var numbers []uint64
	for i := range r.Capture.Files {
		if g, n, ok := r.Layout.Position(r.Capture.Files[i].Name); ok && g == group && n > end {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		if n > end+1 {
			gaps = append(gaps, r.numbered(end+1, n-1))
		}
		end = n
	}
	return gaps
}

// numbered names the log files with the numbers from first to last.
func (r *Source) numbered(first, last uint64) string {
	a, b := r.Layout.BaseName(first), r.Layout.BaseName(last)
	if a == "" {
		a, b = fmt.Sprintf("number %d", first), fmt.Sprint(last)
	}
	if first == last {
		return a
	}
	return a + " to " + b
}
