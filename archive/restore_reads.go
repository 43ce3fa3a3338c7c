package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// ObjectRead is what a restore reads of one object.
type ObjectRead struct {
	Key      string `json:"key"`
	Class    string `json:"class"`    // the storage class; empty if the provider reports none
	Frozen   bool   `json:"frozen"`   // it must be thawed first
	Thawing  bool   `json:"thawing"`  // its thaw is under way
	Size     int64  `json:"size"`     // of the whole object, which a thaw is billed by; 0 if it was not requested
	Missing  bool   `json:"missing"`  // the store does not have it
	Bytes    int64  `json:"bytes"`    // as they are transferred
	Requests int64  `json:"requests"` // that read them at most
}

// fewReads is the number of objects whose classes are requested one by one. Those of more objects are listed: a
// listing returns a thousand at a time, and also those that are not needed.
const fewReads = 32

// RestoreReads returns what a restore of all files of a snapshot reads, by kind and storage class, as a dry run of
// Restore does. missing is the number of objects that the store does not have. It reads no content. Of many objects, it
// takes those for frozen that were thawed for some days.
func (a *Archive) RestoreReads(ctx context.Context, m *manifest.Manifest) (reads []cost.Read, missing int, err error) {
	defer a.hold()()
	if m, err = a.withPages(ctx, m, allPages); err != nil {
		return nil, 0, err
	}
	objects := objectReads(a.newSlots(), m.Files)
	if err := a.tryClassify(ctx, objects); err != nil {
		return nil, 0, err
	}
	reads, missing = sumReads(objects, nil)
	return reads, missing, nil
}

// preview fills in what a restore of some files reads, and what must be thawed for that. It calls each with every
// object, unless each is nil.
func (a *Archive) preview(ctx context.Context, files []manifest.File, each func(ObjectRead), res *RestoreResult) error {
	objects := objectReads(a.newSlots(), files)
	if err := a.tryClassify(ctx, objects); err != nil {
		return err
	}
	states, err := a.thawStates(ctx, objects)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		a.log.Warn("which objects must be thawed is not known exactly", "error", err)
	}
	res.Thaw = planThaw(a.store, states)
	res.Reads, res.Missing = sumReads(objects, each)
	return nil
}

// tryClassify fills in the storage classes of objects. If they cannot be read, a warning is enough: the restore itself
// may succeed.
func (a *Archive) tryClassify(ctx context.Context, objects map[string]*ObjectRead) error {
	err := a.classify(ctx, objects)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	a.log.Warn("the storage classes of the objects are unknown; a listing or the attributes cannot be read", "error", err)
	for _, o := range objects {
		o.Class, o.Frozen, o.Missing = "", false, false
	}
	return nil
}

// sumReads adds up what is read, by kind and storage class. It calls each with every object, unless each is nil.
func sumReads(objects map[string]*ObjectRead, each func(ObjectRead)) (reads []cost.Read, missing int) {
	by := map[cost.Read]*cost.Read{}
	for _, key := range sortedKeys(objects) {
		o := objects[key]
		if o.Missing {
			missing++
		}
		kind := cost.Read{Kind: kindOf(key), Class: o.Class, Frozen: o.Frozen}
		if by[kind] == nil {
			sum := kind
			by[kind] = &sum
		}
		sum := by[kind]
		sum.Objects, sum.Bytes, sum.Requests = sum.Objects+1, sum.Bytes+o.Bytes, sum.Requests+o.Requests
		if each != nil {
			each(*o)
		}
	}
	reads = []cost.Read{}
	for _, sum := range by {
		reads = append(reads, *sum)
	}
	slices.SortFunc(reads, func(a, b cost.Read) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Class, b.Class), cmp.Compare(b.Bytes, a.Bytes))
	})
	return reads, missing
}

func kindOf(key string) string {
	if strings.HasPrefix(key, manifest.BundlesPrefix) {
		return "bundle"
	}
	return "data"
}

// objectReads returns the objects that a restore of some files with these slots reads, by key.
func objectReads(s *slots, files []manifest.File) map[string]*ObjectRead {
	objects := map[string]*ObjectRead{}
	read := func(key string, bytes int64, requests int) {
		o := objects[key]
		if o == nil {
			o = &ObjectRead{Key: key}
			objects[key] = o
		}
		o.Bytes, o.Requests = o.Bytes+bytes, o.Requests+int64(requests)
	}
	for _, run := range groupByBundle(files) {
		first, last := &files[run[0]].Parts[0], &files[run[len(run)-1]].Parts[0]
		if len(run) > 1 { // one request, with what lies between the files
			read(first.Object, offsetOf(last)+last.Stored.Size-offsetOf(first), 1)
			continue
		}
		parts := files[run[0]].Parts
		for i := range parts {
			read(parts[i].Object, parts[i].Stored.Size, s.requests(parts[i].Stored.Size))
		}
	}
	return objects
}

// classify fills in the storage classes of objects, and which of them are missing.
func (a *Archive) classify(ctx context.Context, objects map[string]*ObjectRead) error {
	if _, none := a.store.(store.Classless); none || len(objects) == 0 {
		return nil
	}
	if len(objects) <= fewReads {
		return a.classifyEach(ctx, objects)
	}
	return inAnyOrder(func() error {
		for _, o := range objects {
			o.Missing = true
		}
		for _, prefix := range []string{manifest.DataPrefix, manifest.BundlesPrefix} {
			for o, err := range a.store.List(ctx, prefix, "", "") {
				if err != nil {
					return fmt.Errorf("listing the objects: %w", err)
				}
				if is := objects[o.Key]; is != nil {
					is.Class, is.Frozen, is.Size, is.Missing = o.Class, o.Frozen != "", o.Size, false
				}
			}
		}
		return nil
	})
}

func (a *Archive) classifyEach(ctx context.Context, objects map[string]*ObjectRead) error {
	var mu sync.Mutex
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(a.transfers)
	for key, is := range objects {
		g.Go(func() error {
			o, err := a.store.Stat(running, key)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("reading the attributes of %s: %w", key, err)
			}
			mu.Lock()
			defer mu.Unlock()
			is.Class, is.Frozen, is.Size, is.Missing = o.Class, o.Frozen != "", o.Size, err != nil
			return nil
		})
	}
	return g.Wait()
}
