package storecheck_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// breaking is a store whose first reads of a key break midway.
type breaking struct {
	*storetest.InMemory
	name string // the last element of the key
	left int
}

func (b *breaking) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := b.InMemory.Get(ctx, key, offset, length)
	if err != nil || !strings.HasSuffix(key, "/"+b.name) || b.left == 0 {
		return r, err
	}
	b.left--
	return io.NopCloser(io.MultiReader(io.LimitReader(r, 5), broken{})), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) {
	return 0, fmt.Errorf("the connection broke (%w)", store.ErrTransient)
}

func probe(t *testing.T, s store.Store) map[string]storecheck.Finding {
	t.Helper()
	found := map[string]storecheck.Finding{}
	if err := storecheck.Probe(t.Context(), s, func(f storecheck.Finding) { found[f.Probe] = f }); err != nil {
		t.Fatal(err)
	}
	return found
}

func memory(t *testing.T) *storetest.InMemory {
	m := storetest.Memory(t)
	m.TolerateMismatch = true
	return m
}

// A connection that breaks is no fault of the store. A check reads again, as archives do. If that fails, too, the
// finding does not advise to use another store.
func TestBrokenReadIsNoFault(t *testing.T) {
	t.Parallel()
	for name, probes := range map[string]string{"race": "create-only", "fresh": "read after write", "first": "ranges", "large": "large objects"} {
		for name, f := range probe(t, &breaking{memory(t), name, 2}) {
			if f.Result != storecheck.Good {
				t.Errorf("%s: %+v", name, f)
			}
		}
		for name, f := range probe(t, &breaking{memory(t), name, -1}) {
			if name != probes && f.Result == storecheck.Good {
				continue
			}
			if name != probes || f.Result != storecheck.Failed || !f.Transient || f.Advice != "" || !strings.Contains(f.Detail, "connection broke") {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

// retaining is a store whose bucket has a retention.
type retaining struct{ *storetest.InMemory }

func (r retaining) Delete(_ context.Context, objects []store.Object) error {
	var errs []error
	for i := range objects {
		errs = append(errs, fmt.Errorf("deleting %s: %w", objects[i].Key, store.ErrProtected))
	}
	return errors.Join(errs...)
}

// A bucket with a retention refuses every delete. That is no lack of permissions, and more of them would not help.
func TestRetentionIsNoLackOfPermission(t *testing.T) {
	t.Parallel()
	found := probe(t, retaining{memory(t)})
	for _, name := range []string{"delete", "conditional delete"} {
		f := found[name]
		if f.Result != storecheck.Note || strings.Contains(f.Detail+f.Advice, "credentials") || !strings.Contains(f.Detail, "retention") {
			t.Errorf("%+v", f)
		}
	}
}

// losing is a store that creates an object, and whose answer to that is lost: the attempt after it finds the object.
type losing struct {
	*storetest.InMemory
	name string // the last element of the key
}

func (l losing) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	stored, err := l.InMemory.Put(ctx, key, body, sums)
	stored.Existed = stored.Existed || strings.HasSuffix(key, "/"+l.name)
	return stored, err
}

// The answer to the request that created an object may be lost. That is no fault of the store.
func TestLostAnswerIsNoFault(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"first", "race", "fresh", "large", "condition", "Case"} {
		for probed, f := range probe(t, losing{memory(t), name}) {
			if f.Result != storecheck.Good {
				t.Errorf("%s: %s: %+v", name, probed, f)
			}
		}
	}
}

// refusing is a store that refuses one of the many objects that are listed.
type refusing struct{ *storetest.InMemory }

func (r refusing) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if strings.HasSuffix(key, "/many/0500") {
		return store.PutResult{}, fmt.Errorf("slow down (%w)", store.ErrTransient)
	}
	return r.InMemory.Put(ctx, key, body, sums)
}

// If the service was too busy to create the objects, their listing shows nothing about its order. The finding does not
// advise to use another store.
func TestOrderIsNotTestedWithoutObjects(t *testing.T) {
	t.Parallel()
	for name, f := range probe(t, refusing{memory(t)}) {
		wrong := name == "paging" || name == "order"
		if wrong != (f.Result == storecheck.Failed) || wrong != f.Transient || f.Advice != "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
