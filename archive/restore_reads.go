package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

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

const (
	// fewReads is the number of objects whose classes are requested one by one. Those of more objects are listed.
	fewReads = 32
	// listedPerRead is how many listed objects are worth one request of an object's attributes: a listing returns a
	// thousand at a time, one after the other, while attributes are read several at a time.
	listedPerRead = onePage / fewReads
)

// ReadPlan is what a restore reads.
type ReadPlan struct {
	Reads   []cost.Read // by kind and storage class, without the missing objects
	Missing int         // the objects that the store does not have
	// ClassesUnknown means that the storage classes were not read, so that no price is known: Reads then has all
	// objects without a class, and Missing is 0.
	ClassesUnknown bool
}

// RestoreReads returns what a restore of all files of a snapshot reads, as a dry run of Restore does. It reads no content.
// For the classes it sends about a request for each object, or fewer: it lists where the snapshot's objects are close
// together. If there are more than most objects, it reads no classes; 0 sets no bound. Of many objects, it takes those
// for frozen that were thawed for some days.
func (a *Archive) RestoreReads(ctx context.Context, m *manifest.Manifest, most int) (ReadPlan, error) {
	defer a.hold()()
	m, err := a.withPages(ctx, m, allPages)
	if err != nil {
		return ReadPlan{}, err
	}
	return a.planReads(ctx, objectReads(a.newSlots(), m.Files), most, nil)
}

// preview fills in what a restore of some files reads, and what must be thawed for that. It calls each with every
// object, unless each is nil.
func (a *Archive) preview(ctx context.Context, files []manifest.File, each func(ObjectRead), res *RestoreResult) error {
	reads := objectReads(a.newSlots(), files)
	keys := sortedKeys(reads)
	hasClasses, err := a.tryClassify(ctx, reads, keys)
	if err != nil {
		return err
	}
	states, err := a.thawStates(ctx, reads)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		a.log.Warn("which objects must be thawed is not known exactly", "error", err)
	}
	res.Thaw = planThaw(a.store, states)
	res.ReadPlan = sumReads(reads, keys, each)
	res.ClassesUnknown = !hasClasses
	switch {
	case !a.canThaw():
	case !hasClasses:
		res.ThawUnknown = "the storage classes of the objects cannot be read"
	case err != nil:
		res.ThawUnknown = "the attributes of the objects cannot be read"
	}
	return nil
}

// planReads returns what it takes to read some objects. It calls each with every object, unless each is nil.
func (a *Archive) planReads(
	ctx context.Context, reads map[string]*ObjectRead, most int, each func(ObjectRead),
) (ReadPlan, error) {
	keys, hasClasses := sortedKeys(reads), false
	if most == 0 || len(keys) <= most {
		var err error
		if hasClasses, err = a.tryClassify(ctx, reads, keys); err != nil {
			return ReadPlan{}, err
		}
	}
	p := sumReads(reads, keys, each)
	p.ClassesUnknown = !hasClasses
	return p, nil
}

// tryClassify fills in the storage classes of objects, and returns whether it could: the restore itself may succeed.
func (a *Archive) tryClassify(ctx context.Context, reads map[string]*ObjectRead, keys []string) (bool, error) {
	err := a.classify(ctx, reads, keys)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	}
	a.log.Warn("the storage classes of the objects are unknown; a listing or the attributes cannot be read", "error", err)
	for _, o := range reads {
		o.Class, o.Frozen, o.Missing = "", false, false
	}
	return false, nil
}

// sumReads adds up what is read, by kind and storage class. It calls each with every object, unless each is nil.
func sumReads(reads map[string]*ObjectRead, keys []string, each func(ObjectRead)) ReadPlan {
	p := ReadPlan{Reads: []cost.Read{}}
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

// objectReads returns the objects that a restore of some files with these slots reads, by key.
func objectReads(s *slots, files []manifest.File) map[string]*ObjectRead {
	reads := map[string]*ObjectRead{}
	read := func(key string, bytes int64, requests int) {
		o := reads[key]
		if o == nil {
			o = &ObjectRead{Key: key}
			reads[key] = o
		}
		o.Bytes, o.Requests = cost.Sum(o.Bytes, bytes), o.Requests+int64(requests)
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
	return reads
}

// classify fills in the storage classes of objects, and which of them are missing. keys are theirs in order.
func (a *Archive) classify(ctx context.Context, reads map[string]*ObjectRead, keys []string) error {
	if _, none := a.store.(store.Classless); none {
		return nil
	}
	rest := keys
	if len(keys) > fewReads {
		err := inAnyOrder(func() (err error) {
			rest, err = a.classifyListed(ctx, reads, keys)
			return err
		})
		if err != nil {
			return fmt.Errorf("listing the objects: %w", err)
		}
	}
	return a.classifyEach(ctx, reads, rest)
}

// classifyListed lists the ranges of the store that have these keys, and returns those that it did not reach. It stops
// once it costs less to request the rest one by one: other snapshots may have any number of objects in between.
func (a *Archive) classifyListed(
	ctx context.Context, reads map[string]*ObjectRead, keys []string,
) (rest []string, err error) {
	budget := len(keys) * listedPerRead
	for len(keys) > 0 {
		prefix := keys[0][:strings.IndexByte(keys[0], '/')+1]
		n := slices.IndexFunc(keys, func(key string) bool { return !strings.HasPrefix(key, prefix) })
		if n < 0 {
			n = len(keys)
		}
		left := keys[:n]
		for o, err := range a.store.List(ctx, prefix, "", keys[0][:len(keys[0])-1]) {
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
			reads[key].describe(store.Object{}, true)
		}
		keys = keys[n:]
	}
	return nil, nil
}

// pass describes the objects up to a listed one, and returns the keys after it.
func pass(reads map[string]*ObjectRead, keys []string, listed *store.Object) []string {
	for len(keys) > 0 && keys[0] < listed.Key {
		reads[keys[0]].describe(store.Object{}, true)
		keys = keys[1:]
	}
	if len(keys) > 0 && keys[0] == listed.Key {
		reads[keys[0]].describe(*listed, false)
		keys = keys[1:]
	}
	return keys
}

func (r *ObjectRead) describe(o store.Object, isMissing bool) {
	r.Class, r.Frozen, r.Size, r.Missing = o.Class, o.Frozen != "", o.Size, isMissing
}

func (a *Archive) classifyEach(ctx context.Context, reads map[string]*ObjectRead, keys []string) error {
	return eachAtOnce(ctx, a.transfers, keys, func(ctx context.Context, key string) error {
		o, err := a.store.Stat(ctx, key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reading the attributes of %s: %w", key, err)
		}
		reads[key].describe(o, err != nil)
		return nil
	})
}
