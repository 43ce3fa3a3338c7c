package thaw

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

const (
	// fewReads is the number of objects whose classes are requested one by one. Those of more objects are listed.
	fewReads = 32
	// listedPerRead is how many listed objects are worth one request of an object's attributes: a listing returns a
	// thousand at a time, one after the other, while attributes are read several at a time.
	listedPerRead = objects.OnePage / fewReads
)

// PlanReads returns what it takes to read some objects. It calls each with every object, unless each is nil.
func PlanReads(
	ctx context.Context, a *objects.Objects, reads map[string]*values.ObjectRead, most int, each func(values.ObjectRead),
) (values.ReadPlan, error) {
	keys, hasClasses := objects.SortedKeys(reads), false
	if most == 0 || len(keys) <= most {
		var err error
		if hasClasses, err = TryClassify(ctx, a, reads, keys); err != nil {
			return values.ReadPlan{}, err
		}
	}
	p := SumReads(reads, keys, each)
	p.ClassesUnknown = !hasClasses
	return p, nil
}

// TryClassify fills in the storage classes of objects, and returns whether it could: the restore itself may succeed.
func TryClassify(ctx context.Context, a *objects.Objects, reads map[string]*values.ObjectRead, keys []string) (bool, error) {
	err := classify(ctx, a, reads, keys)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	}
	a.Log.Warn("the storage classes of the objects are unknown; a listing or the attributes cannot be read", "error", err)
	for _, o := range reads {
		o.Class, o.Frozen, o.Missing = "", false, false
	}
	return false, nil
}

// SumReads adds up what is read, by kind and storage class. It calls each with every object, unless each is nil.
func SumReads(reads map[string]*values.ObjectRead, keys []string, each func(values.ObjectRead)) values.ReadPlan {
	p := values.ReadPlan{Reads: []cost.Read{}}
	by := map[cost.Read]*cost.Read{}
	for _, key := range keys {
		o := reads[key]
		if each != nil {
			each(*o)
		}
		if o.Missing { // a restore stops there
			p.Missing++
			continue
		}
		kind := cost.Read{Kind: kindOf(key), Class: o.Class, Frozen: o.Frozen}
		if by[kind] == nil {
			sum := kind
			by[kind] = &sum
		}
		sum := by[kind]
		sum.Objects, sum.Bytes, sum.Requests = sum.Objects+1, cost.Sum(sum.Bytes, o.Bytes), sum.Requests+o.Requests
	}
	for _, sum := range by {
		p.Reads = append(p.Reads, *sum)
	}
	slices.SortFunc(p.Reads, func(a, b cost.Read) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Class, b.Class), cmp.Compare(b.Bytes, a.Bytes))
	})
	return p
}

func kindOf(key string) string {
	switch {
	case strings.HasPrefix(key, manifest.BundlesPrefix):
		return "bundle"
	case strings.HasPrefix(key, manifest.PagesPrefix):
		return "page"
	}
	return "data"
}

// ObjectReads returns the objects that a restore of some files with these slots reads, by key.
func ObjectReads(s *objects.Slots, files []manifest.File) map[string]*values.ObjectRead {
	reads := map[string]*values.ObjectRead{}
	read := func(key string, bytes int64, requests int) {
		o := reads[key]
		if o == nil {
			o = &values.ObjectRead{Key: key}
			reads[key] = o
		}
		o.Bytes, o.Requests = cost.Sum(o.Bytes, bytes), o.Requests+int64(requests)
	}
	for _, run := range objects.GroupByBundle(files) {
		first, last := &files[run[0]].Parts[0], &files[run[len(run)-1]].Parts[0]
		if len(run) > 1 { // one request, with what lies between the files
			read(first.Object, objects.OffsetOf(last)+last.Stored.Size-objects.OffsetOf(first), 1)
			continue
		}
		parts := files[run[0]].Parts
		for i := range parts {
			read(parts[i].Object, parts[i].Stored.Size, s.Requests(parts[i].Stored.Size))
		}
	}
	return reads
}

// classify fills in the storage classes of objects, and which of them are missing. keys are theirs in order.
func classify(ctx context.Context, a *objects.Objects, reads map[string]*values.ObjectRead, keys []string) error {
	if _, none := a.Store.(store.Classless); none {
		return nil
	}
	rest := keys
	if len(keys) > fewReads {
		err := objects.InAnyOrder(func() (err error) {
			rest, err = classifyListed(ctx, a, reads, keys)
			return err
		})
		if err != nil {
			return fmt.Errorf("listing the objects: %w", err)
		}
	}
	return classifyEach(ctx, a, reads, rest)
}

// classifyListed lists the ranges of the store that have these keys, and returns those that it did not reach. It stops
// once it costs less to request the rest one by one: other snapshots may have any number of objects in between.
func classifyListed(
	ctx context.Context, a *objects.Objects, reads map[string]*values.ObjectRead, keys []string,
) (rest []string, err error) {
	budget := len(keys) * listedPerRead
	for len(keys) > 0 {
		prefix := keys[0][:strings.IndexByte(keys[0], '/')+1]
		n := slices.IndexFunc(keys, func(key string) bool { return !strings.HasPrefix(key, prefix) })
		if n < 0 {
			n = len(keys)
		}
		left := keys[:n]
		for o, err := range a.Store.List(ctx, prefix, "", keys[0][:len(keys[0])-1]) {
			if err != nil {
				return nil, err
			}
			if left = pass(reads, left, &o); len(left) == 0 {
				break
			}
			if budget--; budget == 0 {
				return keys[n-len(left):], nil
			}
		}
		for _, key := range left {
			describe(reads[key], store.Object{}, true)
		}
		keys = keys[n:]
	}
	return nil, nil
}

// pass describes the objects up to a listed one, and returns the keys after it.
func pass(reads map[string]*values.ObjectRead, keys []string, listed *store.Object) []string {
	for len(keys) > 0 && keys[0] < listed.Key {
		describe(reads[keys[0]], store.Object{}, true)
		keys = keys[1:]
	}
	if len(keys) > 0 && keys[0] == listed.Key {
		describe(reads[keys[0]], *listed, false)
		keys = keys[1:]
	}
	return keys
}

func describe(r *values.ObjectRead, o store.Object, isMissing bool) {
	r.Class, r.Frozen, r.Size, r.Missing = o.Class, o.Frozen != "", o.Size, isMissing
}

func classifyEach(ctx context.Context, a *objects.Objects, reads map[string]*values.ObjectRead, keys []string) error {
	return objects.EachAtOnce(ctx, a.Transfers, keys, func(ctx context.Context, key string) error {
		o, err := a.Store.Stat(ctx, key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reading the attributes of %s: %w", key, err)
		}
		describe(reads[key], o, err != nil)
		return nil
	})
}
