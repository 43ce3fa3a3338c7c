package snapshots

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/store"
)

// Below implements the method of archive.Archive.
func Below(ctx context.Context, a *repo.Repo) (found []values.Below, complete bool, err error) {
	defer a.Begin()()
	prefixes, _, complete, err := nested.FindBelow(ctx, a.Objects, nested.MaxBelow)
	if err != nil {
		return nil, false, err
	}
	for _, prefix := range prefixes {
		one := values.Below{Prefix: prefix}
		newest, err := List(ctx, at(a, prefix), 1)
		switch {
		case ctx.Err() != nil:
			return nil, false, context.Cause(ctx)
		case err != nil:
			one.Err = err
		case len(newest) > 0:
			one.Newest = &newest[0]
		}
		found = append(found, one)
	}
	return found, complete, nil
}

// at returns the archive at a prefix below this one's address, for reading alone.
func at(a *repo.Repo, prefix string) *repo.Repo {
	b := a.WithoutCache()
	b.Store, b.State = &belowStore{a.Store, prefix}, nil
	return b
}

// belowStore is the part of a store below a prefix, for reading.
type belowStore struct {
	all    store.Store
	prefix string
}

var errReadOnly = errors.New("the store was opened for reading")

func (s *belowStore) Put(context.Context, string, io.ReaderAt, store.Sums) (store.PutResult, error) {
	return store.PutResult{}, errReadOnly
}

func (s *belowStore) Delete(context.Context, []store.Object) error { return errReadOnly }

func (s *belowStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return s.all.Get(ctx, s.prefix+key, offset, length)
}

func (s *belowStore) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := s.all.Stat(ctx, s.prefix+key)
	o.Key = key
	return o, err
}

func (s *belowStore) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if after != "" {
		after = s.prefix + after
	}
	return func(yield func(store.Object, error) bool) {
		for o, err := range s.all.List(ctx, s.prefix+prefix, delimiter, after) {
			o.Key = strings.TrimPrefix(o.Key, s.prefix)
			if !yield(o, err) {
				return
			}
		}
	}
}
