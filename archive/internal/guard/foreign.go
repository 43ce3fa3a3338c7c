package guard

import (
	"context"
	"fmt"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
)

// A contentMatch is the result of comparing the files that the source and the parent have in common.
type contentMatch int

const (
	contentUnknown contentMatch = iota // both have no content in common that could be compared
	contentSame                        // a file is the same in both, or continues where the parent's ends
	tailDiffers                        // both have only the parent's tail, and it differs
	contentDiffers                     // both have closed files, and every one differs
)

// foreign returns why the source counts as another database; nil if it is the parent's. If both have content in common,
// the content decides, whatever the node is called. Otherwise other evidence must identify the source.
func (r *Source) foreign(ctx context.Context, plan *values.Plan) (found, err error) {
	parent := r.Parent()
	if len(parent.Files) == 0 { // no backup makes an empty snapshot, and it cannot belong to another database
		return nil, nil
	}
	l, example, err := r.compareContent(ctx, plan)
	if err != nil {
		return nil, err
	}
	if l == contentDiffers {
		return fmt.Errorf("%w: none of the closed files that both have, such as %s, is the same in snapshot %d; "+
			"choose another destination, or accept the source if this is the same database",
			values.ErrForeign, example, parent.Sequence), nil
	}
	if l != contentSame && (parent.Node != r.Node || r.isOrdered()) {
		how, err := r.recognize(ctx, l, example)
		switch {
		case err != nil:
			return nil, err
		case how == "" && example != "":
			return fmt.Errorf("%w: of the files of snapshot %d it has only %s, which differs; "+
				"choose another destination, or accept the source if this is the same database",
				values.ErrForeign, parent.Sequence, example), nil
		case how == "":
			return fmt.Errorf("%w: it has none of the log files of snapshot %d, such as %s, "+
				"and nothing else shows that it is the same database; "+
				"choose another destination, or accept the source if it is",
				values.ErrForeign, parent.Sequence, parent.Files[0].Name), nil
		}
		r.warnRecognized(how, example)
	}
	if node := parent.Node; node != r.Node {
		r.Warn("this is node %q and snapshot %d was made by %q; "+
			"the database is the same, and the archive continues under the new name", r.Node, parent.Sequence, node)
	}
	return nil, nil
}

// isOrdered reports whether the parent holds numbered files. A database may replace all files without numbers at any
// time.
func (r *Source) isOrdered() bool {
	parent := r.Parent()
	for i := range parent.Files {
		if _, _, ok := r.Layout.Position(parent.Files[i].Name); ok {
			return true
		}
	}
	return false
}

// tellingTail is the minimum length in bytes of a tail that outweighs closed files that differ. The first entries of
// all databases are nearly the same.
const tellingTail = 4 << 10

// compareContent compares the files that both have until one agrees. It reads files whose names, sizes and times do not
// decide. The example is a file that differs.
func (r *Source) compareContent(ctx context.Context, plan *values.Plan) (l contentMatch, example string, err error) {
	parent := r.Parent()
	for _, f := range plan.Keep {
		if f.State == manifest.Closed {
			return contentSame, "", nil
		}
	}
	for i := range r.Capture.Files {
		f := &r.Capture.Files[i]
		was := scan.Entry(parent.Files, f.Name)
		if was == nil || was.State != manifest.Closed {
			continue
		}
		same, err := r.goesOn(ctx, f, was)
		if same || err != nil {
			return contentSame, "", err
		}
		l, example = contentDiffers, f.Name
	}
	for i := range r.Capture.Files {
		f := &r.Capture.Files[i]
		was := scan.Entry(parent.Files, f.Name)
		if was == nil || was.State != manifest.Tail {
			continue
		}
		was = sharedFiles(was, f.Size)
		if l == contentDiffers && was.Size < tellingTail {
			continue
		}
		if was.Size == 0 {
			if len(parent.Files) == 1 && scan.Entry(parent.Files, f.Name).Size == 0 {
				return contentSame, "", nil // the snapshot has no content that could be another database's
			}
			example = f.Name
			continue
		}
		same, err := r.tailGoesOn(ctx, f, was)
		if same || err != nil {
			return contentSame, "", err
		}
		if l != contentDiffers {
			l, example = tailDiffers, f.Name
		}
	}
	return l, example, nil
}

// sharedFiles returns the beginning of a tail that can be compared with a file of size bytes. That is the whole tail
// or, if the tail is longer, its first part, which an earlier snapshot stored.
func sharedFiles(was *manifest.File, size int64) *manifest.File {
	if was.Size <= size {
		return was
	}
	short := *was
	short.Size = 0
	if p := &was.Parts[0]; len(was.Parts) > 1 && p.Size <= size {
		short.Size, short.SHA256 = p.Size, p.SHA256
	}
	return &short
}

// tailGoesOn is goesOn for a tail. It avoids reading bytes again that an earlier backup of this process has read.
func (r *Source) tailGoesOn(ctx context.Context, f *source.File, was *manifest.File) (bool, error) {
	if scan.LooksSame(f, was) {
		return true, nil
	}
	content, err := r.Capture.Peek(f.Name)
	if err != nil {
		return false, fmt.Errorf("opening %s: %w", f.Name, err)
	}
	s, err := r.ResumeTail(ctx, content, f, was)
	content.Close()
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", f.Name, err)
	}
	if s != nil {
		return true, nil
	}
	return r.goesOn(ctx, f, was)
}

// goesOn reports whether a file begins with the parent's content of it. An open file grows, and after a crash JE
// continues in a file that was closed. A file in which the database only erased entries, or made them invisible, counts
// as the same.
func (r *Source) goesOn(ctx context.Context, f *source.File, was *manifest.File) (bool, error) {
	if f.Size < was.Size || f.Size > was.Size && !IsAppended(r.Layout) {
		return false, nil
	}
	content, err := r.Capture.Peek(f.Name)
	if err != nil {
		return false, fmt.Errorf("opening %s: %w", f.Name, err)
	}
	defer content.Close()
	s, w, log := digest.New(), io.Writer(nil), (*entries.Reader)(nil)
	w = s
	if was.State == manifest.Closed && was.Check != nil {
		if log = r.Layout.EntryReader(f.Name); log != nil {
			w = io.MultiWriter(s, log)
		}
	}
	if err := bufcopy.Range(ctx, content, 0, was.Size, w); err != nil {
		return false, fmt.Errorf("reading %s: %w", f.Name, err)
	}
	if s.Sums().SHA256 == was.SHA256 {
		return true, nil
	}
	return log != nil && isRewritten(was, log), nil
}

// IsAppended reports whether the databases of a layout may append to a file that was closed.
func IsAppended(l source.Layout) bool { return l.Name() == "je" || l.Name() == "noxu" }

// isRewritten reports whether a closed file differs only in entries that the database itself
// erased or made invisible.
func isRewritten(was *manifest.File, log *entries.Reader) bool {
	res := log.Result()
	if res.Problem != nil {
		return false
	}
	now := manifest.File{Size: res.Size, Check: &manifest.Check{
		Result: manifest.CheckOK, Entries: res.Entries, Last: res.Last, Erased: res.Erased, Invisible: res.Invisible,
	}}
	switch scan.ChangeKind(was, &now) {
	case values.ChangedErased, values.ChangedInvisible, values.ChangedBoth:
		return true
	}
	return false
}
