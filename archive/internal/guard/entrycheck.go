package guard

import (
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
)

// NeedsLostObject reports whether a part of a file is known to be missing or damaged.
func (r *Source) NeedsLostObject(f *manifest.File) bool {
	for i := range f.Parts {
		if r.KnownBad.HasPart(&f.Parts[i]) {
			return true
		}
	}
	return false
}

// Check returns the result of the entry check for a file's entry in the manifest; nil if the file was not checked.
func (r *Source) Check(name string, res *entries.Result) *manifest.Check {
	if res == nil {
		return nil
	}
	if scan.Unknown(res) {
		r.unchecked.Do(func() {
			r.Warn("%s is of %s; files of this version are archived without an entry check", name, res.Problem.Got)
		})
		return nil
	}
	c := &manifest.Check{
		By: r.Layout.Name(), Entries: res.Entries, Result: manifest.CheckOK,
		Last: res.Last, Previous: int64(res.Previous), Invisible: res.Invisible, Erased: res.Erased,
	}
	if p := res.Problem; p != nil {
		scan.Damage(c, p.Offset, p.Error())
	}
	return c
}

// NeverChecked reports whether a file was archived without an entry check, although this run makes one. The check was
// disabled then, or the log version was unknown. The file is read once more, since it may be damaged.
func (r *Source) NeverChecked(was *manifest.File) bool {
	return was.Check == nil && was.State == manifest.Closed && r.Layout.ChecksEntries()
}

// Unreadable reports whether this program does not support the log version of a file either, so that reading the file
// shows nothing. It is false for a file that cannot be read now.
func (r *Source) Unreadable(f *source.File) bool {
	content, err := r.Capture.Peek(f.Name)
	if err != nil {
		return false
	}
	defer content.Close()
	head := make([]byte, min(f.Size, 4<<10))
	if _, err := content.ReadAt(head, 0); err != nil && err != io.EOF {
		return false
	}
	reader := r.Layout.EntryReader(f.Name)
	reader.Write(head)
	res := reader.Result()
	return scan.Unknown(&res)
}
