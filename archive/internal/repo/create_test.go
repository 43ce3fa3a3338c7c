package repo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// commits is a store with given answers to a Put, which may happen all the same, and to a Get.
type commits struct {
	*storetest.InMemory
	put    error
	exists bool // Put reports that the object existed
	lost   bool // the Put happens before it fails
	get    error
	gets   int
}

func (c *commits) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	switch {
	case c.exists:
		return store.PutResult{Existed: true}, nil
	case c.put == nil:
		return c.InMemory.Put(ctx, key, body, sums)
	case c.lost:
		if _, err := c.InMemory.Put(ctx, key, body, sums); err != nil {
			return store.PutResult{}, err
		}
	}
	return store.PutResult{}, c.put
}

func (c *commits) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	c.gets++
	if c.get != nil {
		return nil, c.get
	}
	return c.InMemory.Get(ctx, key, offset, length)
}

// Of several writers exactly one creates a manifest, whatever the store answers.
func TestCreate(t *testing.T) {
	t.Parallel()
	ours, broken := []byte("this writer's manifest, which is the only one\n"), storetest.ErrInjected
	forged := storetest.Forge(ours)
	for name, c := range map[string]struct {
		store commits
		there []byte // the object under the key; nil for none
		err   error  // nil: it is created
		reads bool   // the object is read back
	}{
		"created":                          {commits{}, nil, nil, false},
		"a lost answer":                    {commits{put: broken, lost: true}, nil, nil, true},
		"a lost answer, and no read":       {commits{put: broken, lost: true, get: store.ErrTransient}, nil, broken, true},
		"not created":                      {commits{put: broken}, nil, broken, true},
		"a failure, and another is there":  {commits{put: broken}, forged, repo.ErrRaced, true},
		"a failure, and a huge one there":  {commits{put: broken}, make([]byte, manifest.MaxManifestBytes+1), repo.ErrRaced, true},
		"another is there":                 {commits{}, []byte("another"), repo.ErrRaced, false},
		"it existed":                       {commits{exists: true}, ours, nil, true},
		"it existed, forged":               {commits{exists: true}, forged, repo.ErrRaced, true},
		"it existed, and cannot be read":   {commits{exists: true, get: broken}, ours, broken, true},
		"it existed, and is frozen":        {commits{exists: true, get: store.ErrFrozen}, ours, store.ErrFrozen, true},
		"something in the way":             {commits{put: &store.Blocked{AtKey: true}}, ours, store.ErrBlocked, false},
		"a context that has ended":         {commits{put: context.Canceled, get: context.Canceled}, nil, context.Canceled, true},
		"a body with other bytes":          {commits{put: store.ErrMismatch}, nil, store.ErrMismatch, true},
		"a failure that created it before": {commits{put: broken}, ours, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				key, s := manifest.ManifestKey(1), c.store
				s.InMemory = storetest.Memory(t)
				if c.there != nil {
					s.Replace(key, c.there)
				}
				err := repo.New(&s, objects.Options{}).Create(t.Context(), "committing", key, ours)
				if !errors.Is(err, c.err) || s.gets > 0 != c.reads {
					t.Errorf("%v after %d reads", err, s.gets)
				}
				if err == nil && !bytes.Equal(s.Snapshot().Bytes(key), ours) {
					t.Error("another object counts as created")
				}
			})
		})
	}
}
