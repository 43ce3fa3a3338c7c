package copier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// A copyObject is a data object, bundle or page that is to be copied.
type copyObject struct {
	key string
	// sums are of the stored bytes. For a bundle, the size covers the known parts, the hash comes from its key, and the
	// CRC-32C is computed when it is read.
	sums   store.Sums
	bundle bool
}

// sentCount is updated by several goroutines.
type sentCount struct {
	sync.Mutex
	large bool // an object was sent that a provider may upload in parts
}

// plan returns the objects that a snapshot names. send has those that the target's newest snapshot does not name, in
// the order of their keys. The target's newest snapshot must name each object with a number up to its own. Only then
// has no prune of the target removed the object (format.md, rule 5).
func (c *copyRun) plan(s *repo.Snapshot) (named map[string]struct{}, send []copyObject, err error) {
	named = make(map[string]struct{}, len(c.named))
	wanted := map[string]int{}
	repo.EachObject(s, func(key string, part *manifest.Part, page *manifest.PageRef) {
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
			o.sums = store.Sums{Size: page.Stored.Size, SHA256: page.Stored.SHA256, CRC32C: page.Stored.CRC32C}
		case part.Stored.Offset != nil:
			o.bundle = true
			o.sums.Size = max(o.sums.Size, *part.Stored.Offset+part.Stored.Size)
		default:
			o.sums = store.Sums{Size: part.Stored.Size, SHA256: part.Stored.SHA256, CRC32C: part.Stored.CRC32C}
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
			return nil, nil, &lostError{manifest.ManifestKey(s.Ref.Sequence), values.ProblemManifest, fmt.Errorf(
				"it names %s, which is not the key of an object: %w", o.key, values.ErrDamaged)}
		case k.Sequence <= c.base.Sequence:
			return nil, nil, fmt.Errorf("%w: the source's snapshot %d needs %s, which the target's newest, %d, does "+
				"not name; copy to another destination", values.ErrNoCopy, s.Ref.Sequence, o.key, c.base.Sequence)
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

// fewObjects is the number of objects up to which each is requested by itself. For more objects, listings show which
// of them exist.
const fewObjects = 16

// findExisting lists the objects that an interrupted copy has sent. Only the first snapshot of a run can adopt them:
// objects of a later snapshot are sent after the first one's commit.
func (c *copyRun) findExisting(ctx context.Context, send []copyObject) error {
	c.existing = objects.Orphans{}
	if c.searched || len(send) <= fewObjects {
		c.existing.TooMany = !c.searched
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
	c.existing = objects.NewOrphans()
	seen := 0
	for prefix, key := range first {
		for o, err := range c.to.Store.List(ctx, prefix, "", key[:len(key)-1]) {
			if err != nil {
				return fmt.Errorf("listing the orphans of an interrupted copy: %w", err)
			}
			if o.Key > last[prefix] {
				break
			}
			if seen++; seen > objects.MaxOrphanKeys {
				c.existing.TooMany = true
				break
			}
			if _, ok := wanted[o.Key]; ok {
				c.existing.Add(o.Key)
			}
		}
	}
	c.searched = true
	return nil
}

// thawSource thaws what is to be read of the source. It examines a few objects of the oldest snapshot that is copied.
// If none of them is frozen, the newer ones are mostly not frozen either, and it examines no more. send thaws what it
// misses.
func (c *copyRun) thawSource(ctx context.Context, send []copyObject) error {
	if c.isWarm || !thaw.IsPossible(c.from.Objects) || len(send) == 0 {
		return nil
	}
	reads := map[string]*values.ObjectRead{}
	for i := range send {
		reads[send[i].key] = &values.ObjectRead{Key: send[i].key}
	}
	if !thaw.IsAnyFrozen(ctx, c.from.Objects, reads) {
		c.isWarm = true
		return context.Cause(ctx)
	}
	return thaw.Objects(ctx, c.from.Objects, reads, c.o.Thaw)
}

// send copies objects, several at a time. What must be thawed in the source is thawed, and copied after the others.
func (c *copyRun) send(ctx context.Context, send []copyObject) error {
	var bytes int64
	for i := range send {
		bytes += send[i].sums.Size
	}
	objects.AddTotals(c.to.Progress, len(send), bytes)
	for tries := 0; ; tries++ {
		frozen, err := c.sendAll(ctx, send)
		if err != nil || len(frozen) == 0 {
			return cmp.Or(err, c.checkForeign())
		}
		if len(frozen) < len(send) {
			tries = 0
		}
		if err := c.thawMissed(ctx, frozen, tries); err != nil {
			return err
		}
		send = frozen
	}
}

// thawMissed thaws objects of the source that thawSource has missed, or that are frozen again.
func (c *copyRun) thawMissed(ctx context.Context, frozen []copyObject, tries int) error {
	c.isWarm = false
	reads := map[string]*values.ObjectRead{}
	for i := range frozen {
		reads[frozen[i].key] = &values.ObjectRead{Key: frozen[i].key}
	}
	if err := thaw.Objects(ctx, c.from.Objects, reads, c.o.Thaw); err != nil {
		return err
	}
	if tries == thaw.ThawFailures || !thaw.IsPossible(c.from.Objects) {
		return fmt.Errorf("%s in the source: the service reports it as thawed, and refuses to return it: %w",
			frozen[0].key, store.ErrFrozen)
	}
	return objects.Pause(ctx, tries)
}

// errSourceFrozen: an object of the source must be thawed before it can be read.
var errSourceFrozen = errors.New("the object must be thawed in the source")

// sendAll copies objects, and returns those that must be thawed in the source first.
func (c *copyRun) sendAll(ctx context.Context, send []copyObject) (frozen []copyObject, _ error) {
	var mu sync.Mutex
	err := objects.EachAtOnce(ctx, c.to.Transfers, send, func(ctx context.Context, o copyObject) error {
		release, err := c.to.Acquire(ctx)
		if err != nil {
			return err
		}
		defer release()
		err = c.sendObject(ctx, o)
		if errors.Is(err, errSourceFrozen) && ctx.Err() == nil {
			mu.Lock()
			defer mu.Unlock()
			frozen = append(frozen, o)
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(frozen, func(a, b copyObject) int { return cmp.Compare(a.key, b.key) })
	return frozen, nil
}

func (c *copyRun) sendObject(ctx context.Context, o copyObject) error {
	size := o.sums.Size
	is, err := c.adopt(ctx, &o)
	if err == nil && is == objects.Absent {
		is, err = c.put(ctx, &o)
	}
	if err != nil {
		return err
	}
	if is == objects.Foreign {
		c.foreign(o.key)
		return nil
	}
	c.to.Progress.BytesDone.Add(size)
	objects.FileDone(c.to.Progress)
	return nil
}

// foreign records a key of the target that holds other content. The manifest names no other key, so the copy fails, but
// only after the other objects were sent.
func (c *copyRun) foreign(key string) {
	c.sent.Lock()
	defer c.sent.Unlock()
	c.foreignKeys = append(c.foreignKeys, key)
}

// checkForeign returns an error if keys of the target hold other content than the objects that belong there.
func (c *copyRun) checkForeign() error {
	c.sent.Lock()
	defer c.sent.Unlock()
	if len(c.foreignKeys) == 0 {
		return nil
	}
	return fmt.Errorf("%d objects in the target do not match their names, and a copy replaces none: "+
		"find out who else can create objects there, delete them and copy again, "+
		"or copy to another destination: %s: %w", len(c.foreignKeys), objects.NameSome(c.foreignKeys), store.ErrExists)
}

// adopt checks an object that an interrupted copy may have sent. It reads the object back: an attacker who can create
// objects in the target can forge its size and CRC-32C.
func (c *copyRun) adopt(ctx context.Context, o *copyObject) (objects.Presence, error) {
	if !c.existing.MayExist(o.key) {
		return objects.Absent, nil
	}
	is, err := c.to.Store.Stat(ctx, o.key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return objects.Absent, nil
	case err != nil:
		return objects.Absent, fmt.Errorf("reading the attributes of %s in the target: %w", o.key, err)
	case o.bundle && (is.Size < o.sums.Size || is.Size > manifest.MaxBundle):
		return objects.Foreign, nil
	}
	if is.Frozen != "" {
		return c.adoptFrozen(o, &is)
	}
	sums := o.sums
	if o.bundle { // only its hash is known
		sums.Size = is.Size
		if is.CRC32C != nil {
			sums.CRC32C = *is.CRC32C
		}
	}
	there, _, err := c.to.ExamineObject(ctx, o.key, &is, sums, false)
	if errors.Is(err, store.ErrFrozen) { // since its attributes were read
		return c.adoptFrozen(o, &is)
	}
	if err != nil {
		return objects.Absent, fmt.Errorf("the target: %w", err)
	}
	if there == objects.Right {
		o.sums = sums
		c.count(o, true)
	}
	return there, nil
}

// adoptFrozen compares an object that must be thawed before it can be read, by what the target reports of it. Without a
// checksum that the manifest has too, the object counts as absent: then Put compares it with the source's. Both can be
// forged, so the object counts as uncompared.
func (c *copyRun) adoptFrozen(o *copyObject, is *store.Object) (objects.Presence, error) {
	switch {
	case o.bundle || is.CRC32C == nil:
		return objects.Absent, nil
	case is.Size != o.sums.Size || *is.CRC32C != o.sums.CRC32C:
		return objects.Foreign, nil
	}
	c.countUnread(o)
	return objects.Right, nil
}

// countUnread counts an object of the target that must be thawed before it can be compared.
func (c *copyRun) countUnread(o *copyObject) {
	c.count(o, true)
	c.sent.Lock()
	defer c.sent.Unlock()
	c.unreadKeys = append(c.unreadKeys, o.key)
}

// warnUnread warns about the objects that could not be compared.
func (c *copyRun) warnUnread() {
	if len(c.unreadKeys) == 0 {
		return
	}
	c.report.Uncompared = len(c.unreadKeys)
	c.report.Warnings = append(c.report.Warnings, fmt.Sprintf("%d objects in the target were there already and must be "+
		"thawed before they can be read, so they were not compared: %s. An interrupted copy left them, or another writer "+
		"forged them; verify with --read-data and --thaw=TIER finds out", len(c.unreadKeys), objects.NameSome(c.unreadKeys)))
}

// put sends an object. If the key exists by then, it compares the content.
func (c *copyRun) put(ctx context.Context, o *copyObject) (objects.Presence, error) {
	content, err := c.fetch(ctx, o)
	if err != nil {
		return objects.Absent, err
	}
	defer content.Release()
	at, err := c.to.Place(ctx, &objects.Placement{
		Body: content, Sums: o.sums, Key: func(int) string { return o.key },
		Refused: func(_ context.Context, _ string, err error) (objects.Presence, error) {
			if errors.Is(err, store.ErrExists) {
				return objects.Foreign, nil
			}
			return objects.Absent, fmt.Errorf("storing: %w", err)
		},
	})
	switch {
	case err != nil:
		return objects.Absent, fmt.Errorf("the target: %w", err)
	case at.Is == objects.Absent:
		return objects.Absent, fmt.Errorf("the target's %s was there and is gone: %w", o.key, repo.ErrRaced)
	case at.Is == objects.Unread:
		c.countUnread(o)
		return objects.Right, nil
	case at.Is == objects.Right:
		c.count(o, at.Stored.Existed)
	}
	return at.Is, nil
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
	c.sent.large = c.sent.large || o.sums.Size > objects.SweepFrom
}
