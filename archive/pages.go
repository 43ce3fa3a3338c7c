package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/manifest"
)

// readPages reads the chosen pages of a manifest. It takes those that the cached newest manifest shares from
// memory.
func (a *Archive) readPages(ctx context.Context, m *manifest.Manifest, chosen []int) ([]manifest.Page, error) {
	pages := make([]manifest.Page, len(chosen))
	have := map[string]manifest.Page{}
	a.mu.Lock()
	if a.known != nil {
		for _, p := range a.known.pages {
			have[p.Ref.Object] = p
		}
	}
	a.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(a.transfers)
	for i, at := range chosen {
		ref := &m.Pages[at]
		pages[i].Ref = *ref
		if p, ok := have[ref.Object]; ok && p.Ref == *ref && p.Files != nil {
			pages[i].Files = p.Files
			continue
		}
		g.Go(func() (err error) {
			pages[i].Files, err = a.readPage(ctx, ref, m.Sequence)
			return err
		})
	}
	return pages, g.Wait()
}

func (a *Archive) readPage(ctx context.Context, ref *manifest.PageRef, sequence int64) ([]manifest.File, error) {
	var files []manifest.File
	b, err := a.get(ctx, ref.Object, manifest.MaxPageBytes, func(b []byte) (err error) {
		files, err = a.codec.Decode(b, ref, sequence)
		return err
	})
	if err != nil && (b != nil || errors.Is(err, fs.ErrNotExist)) {
		err = &badObject{ref.Object, err}
	}
	return files, err
}

// badObject is the error of an object that a manifest needs and that is missing or damaged.
type badObject struct {
	key string
	err error
}

func (b *badObject) Error() string   { return fmt.Sprintf("%s: %v: %v", b.key, ErrDamaged, b.err) }
func (b *badObject) Unwrap() []error { return []error{ErrDamaged, b.err} }

// joinPages returns the entries of all pages in one slice, and makes the pages share its memory.
func joinPages(pages []manifest.Page) []manifest.File {
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
