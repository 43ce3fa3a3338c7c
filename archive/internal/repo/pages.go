package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// ReadPages reads the chosen pages of a manifest. It takes those that the cached newest manifest shares from
// memory.
func (a *Repo) ReadPages(ctx context.Context, m *manifest.Manifest, chosen []int) ([]manifest.Page, error) {
	pages := make([]manifest.Page, len(chosen))
	have := map[string]manifest.Page{}
	a.mu.Lock()
	if a.known != nil {
		for _, p := range a.known.Pages {
			have[p.Ref.Object] = p
		}
	}
	a.mu.Unlock()
	return pages, objects.EachIndex(ctx, a.Transfers, len(chosen), func(ctx context.Context, i int) (err error) {
		ref := &m.Pages[chosen[i]]
		pages[i].Ref = *ref
		if p, ok := have[ref.Object]; ok && p.Ref == *ref && p.Files != nil {
			pages[i].Files = p.Files
			return nil
		}
		pages[i].Files, err = a.ReadPage(ctx, ref, m.Sequence)
		return err
	})
}

func (a *Repo) ReadPage(ctx context.Context, ref *manifest.PageRef, sequence int64) ([]manifest.File, error) {
	var files []manifest.File
	b, err := a.Get(ctx, ref.Object, manifest.MaxPageBytes, func(b []byte) (err error) {
		files, err = a.Codec.Decode(b, ref, sequence)
		return err
	})
	if err != nil && (b != nil || errors.Is(err, fs.ErrNotExist)) {
		err = &BadObject{ref.Object, err}
	}
	return files, err
}

// BadObject is the error of an object that a manifest needs and that is missing or damaged.
type BadObject struct {
	Key string
	Err error
}

func (b *BadObject) Error() string { return fmt.Sprintf("%s: %v: %v", b.Key, values.ErrDamaged, b.Err) }

func (b *BadObject) Unwrap() []error { return []error{values.ErrDamaged, b.Err} }

// JoinPages returns the entries of all pages in one slice, and makes the pages share its memory.
func JoinPages(pages []manifest.Page) []manifest.File {
	n := 0
	for i := range pages {
		n += len(pages[i].Files)
	}
	files := make([]manifest.File, 0, n)
	for i := range pages {
		files = append(files, pages[i].Files...)
		pages[i].Files = files[len(files)-len(pages[i].Files):]
	}
	return files
}
