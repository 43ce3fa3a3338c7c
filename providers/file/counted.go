package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// countedAdapter is a directory that counts its operations.
type countedAdapter struct {
	countable
	counter *cloud.Counter
}

// countable is a directory with or without a Bandwidth.
type countable interface {
	cloud.Bucket
	store.Sweeper
	store.SurroundingsLister
	store.Syncer
	store.Holder
	store.BlockFinder
	store.CreationTester
	store.Classless
	store.FullRate
	store.Local
}

func (c *countedAdapter) count(ctx context.Context, kind string, err error) {
	failure := ""
	var own *cloud.Error
	switch {
	case err == nil || ctx.Err() != nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrExists):
	case errors.As(err, &own):
		failure = own.Kind.Word()
	default:
		failure = cloud.Other.Word()
	}
	c.counter.Count(kind, failure)
}

// Put implements store.Store.
func (c *countedAdapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	stored, err := c.countable.Put(ctx, key, body, sums)
	c.count(ctx, "put", err)
	return stored, err
}

// Get implements store.Store.
func (c *countedAdapter) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := c.countable.Get(ctx, key, offset, length)
	c.count(ctx, "get", err)
	return r, err
}

// Stat implements store.Store.
func (c *countedAdapter) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := c.countable.Stat(ctx, key)
	c.count(ctx, "head", err)
	return o, err
}

// List implements store.Store.
func (c *countedAdapter) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		var failed error
		for o, err := range c.countable.List(ctx, prefix, delimiter, after) {
			failed = err
			if !yield(o, err) {
				break
			}
		}
		c.count(ctx, "list", failed)
	}
}

// Delete implements store.Store.
func (c *countedAdapter) Delete(ctx context.Context, objects []store.Object) error {
	err := c.countable.Delete(ctx, objects)
	c.count(ctx, "delete", err)
	return err
}
