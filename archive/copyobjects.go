package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/manifest"
)

// A copyObject is a data object, bundle or page that is to be copied.
type copyObject struct {
	key string
	// sums are of the stored bytes. Of a bundle, the size is that of the parts that are
	// known, the hash that of its name, and the CRC-32C comes from reading it.
	sums   Sums
	bundle bool
}

// sentCount is what several goroutines count.
type sentCount struct {
	sync.Mutex
	large bool // something was sent that a provider may send in parts
}

// eachObject calls f for each part and page of a snapshot.
func eachObject(s *snapshot, f func(key string, part *manifest.Part, page *manifest.PageRef)) {
	for i := range s.m.Files {
		for k := range s.m.Files[i].Parts {
			p := &s.m.Files[i].Parts[k]
			f(p.Object, p, nil)
		}
	}
	for i := range s.pages {
		f(s.pages[i].Ref.Object, nil, &s.pages[i].Ref)
	}
}

// plan gives what a snapshot names, and of that what the target's newest does not, in the
// order of the keys. What bears a number up to the target's newest must be named by that:
// only then has no prune of the target removed it (format.md, rule 5).
func (c *copyRun) plan(s *snapshot) (named map[string]struct{}, send []copyObject, err error) {
	named = make(map[string]struct{}, len(c.named))
	wanted := map[string]int{}
	eachObject(s, func(key string, part *manifest.Part, page *manifest.PageRef) {
		if _, there := c.named[key]; there {
			named[key] = struct{}{}
			return
		}
		i, seen := wanted[key]
		if !seen {
			i = len(send)
			wanted[key], named[key] = i, struct{}{}
			send = append(send, copyObject{key: key})
		}
		o := &send[i]
		switch {
		case page != nil:
			o.sums = Sums{Size: page.Stored.Size, SHA256: page.Stored.SHA256, CRC32C: page.Stored.CRC32C}
		case part.Stored.Offset != nil:
			o.bundle = true
			o.sums.Size = max(o.sums.Size, *part.Stored.Offset+part.Stored.Size)
		default:
			o.sums = Sums{Size: part.Stored.Size, SHA256: part.Stored.SHA256, CRC32C: part.Stored.CRC32C}
			if o.sums.SHA256.IsZero() {
				o.sums.SHA256 = part.SHA256
			}
		}
	})
	for i := range send {
		o := &send[i]
		k, ok := manifest.ParseObjectKey(o.key)
		switch {
		case !ok:
			return nil, nil, &lostError{manifest.ManifestKey(s.ref.Sequence), "manifest", fmt.Errorf("it names %s, which is no object's key: %w", o.key, ErrDamaged)}
		case k.Sequence <= c.base.Sequence:
			return nil, nil, fmt.Errorf("%w: the source's snapshot %d needs %s, which the target's newest, %d, does not name; copy to another place", ErrNoCopy, s.ref.Sequence, o.key, c.base.Sequence)
		case o.bundle:
			o.sums.SHA256 = k.Hash
		}
		if l := c.bad[o.key]; l != nil {
			return nil, nil, l
		}
	}
	slices.SortFunc(send, func(a, b copyObject) int { return cmp.Compare(a.key, b.key) })
	return named, send, nil
}

// fewObjects are looked at one by one; of more, listings tell which are there.
const fewObjects = 16

// findLeft looks for what a copy that was broken off has sent. Only the first snapshot of
// a run can need any of it: what is sent for a later one is sent after this one's commit.
func (c *copyRun) findLeft(ctx context.Context, send []copyObject) error {
	c.left = leftovers{}
	if c.searched || len(send) <= fewObjects {
		c.left.ask = !c.searched
		c.searched = true
		return nil
	}
	wanted := make(map[string]struct{}, len(send))
	first, last := map[string]string{}, map[string]string{}
	for i := range send {
		k, _ := manifest.ParseObjectKey(send[i].key)
		wanted[send[i].key] = struct{}{}
		if first[k.Prefix] == "" {
			first[k.Prefix] = send[i].key
		}
		last[k.Prefix] = send[i].key // they are in order
	}
	c.left.keys = map[string]bool{}
	seen := 0
	for prefix, key := range first {
		for o, err := range c.to.store.List(ctx, prefix, "", key[:len(key)-1]) {
			if err != nil {
				return fmt.Errorf("looking for what a broken-off copy left: %w", err)
			}
			if o.Key > last[prefix] {
				break
			}
			if seen++; seen > maxLeftoverKeys {
				c.left.ask = true
				break
			}
			if _, ok := wanted[o.Key]; ok {
				c.left.keys[o.Key] = true
			}
		}
	}
	c.searched = true
	return nil
}

// send copies objects, several at a time.
func (c *copyRun) send(ctx context.Context, send []copyObject) error {
	var bytes int64
	for i := range send {
		bytes += send[i].sums.Size
	}
	c.to.progress.plan(len(send), bytes)
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(c.to.transfers)
	for i := range send {
		if running.Err() != nil {
			break
		}
		g.Go(func() error {
			giveBack, err := c.to.take(running)
			if err != nil {
				return err
			}
			defer giveBack()
			return c.sendObject(running, send[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx) // the loop may have been left early
}

func (c *copyRun) sendObject(ctx context.Context, o copyObject) error {
	size := o.sums.Size
	there, err := c.adopt(ctx, &o)
	if err == nil && !there.whole {
		err = c.put(ctx, &o, there.some)
	}
	if err != nil {
		return err
	}
	if there.whole {
		c.count(&o, true)
	}
	c.to.progress.BytesDone.Add(size)
	c.to.progress.file()
	return nil
}

// found is what lies in the target under a key already.
type found struct {
	some  bool // an object, which Put will compare
	whole bool // the right one
}

// adopt looks at an object that a broken-off copy may have sent.
func (c *copyRun) adopt(ctx context.Context, o *copyObject) (found, error) {
	if !c.left.keys[o.key] && !c.left.ask {
		return found{}, nil
	}
	is, err := c.to.store.Stat(ctx, o.key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return found{}, nil
	case err != nil:
		return found{}, fmt.Errorf("looking at %s in the target: %w", o.key, err)
	case is.CRC32C == nil:
		return found{some: true}, nil
	}
	if o.bundle {
		content, err := c.fetch(ctx, o)
		if err != nil {
			return found{}, err
		}
		content.release()
	}
	if is.Size != o.sums.Size || *is.CRC32C != o.sums.CRC32C {
		return found{}, fmt.Errorf("the target's %s is not what its name says; delete it and run again: %w", o.key, ErrExists)
	}
	return found{whole: true}, nil
}

// put sends an object. What is there already is compared by Put, which may not have to
// read the source for that.
func (c *copyRun) put(ctx context.Context, o *copyObject, there bool) error {
	body := &lazyBody{fetch: func() (*copyContent, error) { return c.fetch(ctx, o) }}
	defer body.close()
	if !there || o.bundle {
		if _, err := body.get(); err != nil {
			return err
		}
	}
	stored, err := c.to.store.Put(ctx, o.key, body, o.sums)
	if failed := body.failed(); failed != nil {
		return failed
	}
	if errors.Is(err, ErrExists) {
		return fmt.Errorf("the target's %s is not what its name says; delete it and run again: %w", o.key, err)
	}
	if err != nil {
		return fmt.Errorf("storing in the target: %w", err)
	}
	c.count(o, stored.Existed)
	return nil
}

func (c *copyRun) count(o *copyObject, adopted bool) {
	c.sent.Lock()
	defer c.sent.Unlock()
	if adopted {
		c.report.Adopted++
		return
	}
	c.report.Objects++
	c.report.Bytes += o.sums.Size
	c.sent.large = c.sent.large || o.sums.Size > sweepFrom
}
