package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"
	"sync/atomic"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/store"
)

// ErrBadListing means that a service's answer to a listing is none, or contradicts itself. A listing that may lack
// objects is never believed: a verify would report them as missing.
var ErrBadListing = errors.New("the service's listing cannot be relied on")

// CutListing is the error of a page that is marked as incomplete and has no token to request the next page with.
func CutListing() error {
	return fmt.Errorf("%w: a page is incomplete, and has no token for the next page; %s", ErrBadListing, faultAdvice)
}

// ListedSize returns the size of an object that a listing has, and a negative one if it has none. That is an error: the
// object would count as damaged.
func ListedSize(size *int64) int64 {
	if size == nil {
		return -1
	}
	return *size
}

const faultAdvice = "this is a fault of the service, or of a proxy on the way"

// maxEmptyPages is how many pages in a row may be empty. A service that deletes lazily returns a page for each
// thousand of the objects that it has deleted.
const maxEmptyPages = 10_000

// maxStalls is how often in a row a page may be empty and have the token that it was requested with. That is an answer
// of a service that has not got further yet.
const maxStalls = 5

// Order is what has been found out about the order in which a bucket lists, and where listings are sorted. It is safe
// for concurrent use. The zero value is a bucket that has always listed in the order of the keys.
type Order struct {
	Scratch string // the directory for sorting more objects than fit into memory; empty: there is none

	unordered atomic.Bool
}

// List implements store.Store.
//
// If the service has turned out not to list in the order of the keys, List reads the whole listing and sorts it, unless
// ctx is one of store.InOrder. If that turns out after the first objects were yielded, the sequence ends with
// store.ErrUnordered; the next one is sorted.
func (p *Portable) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		// Services disagree on what starting within a rolled-up prefix means. So a first
		// listing checks whether that prefix has a later key.
		if dir, ok := RolledUp(prefix, delimiter, after); ok {
			for _, err := range p.flat(ctx, dir, "", after) {
				if !yield(store.Object{Key: dir, IsDir: true}, err) || err != nil {
					return
				}
				break
			}
		}
		for o, err := range p.flat(ctx, prefix, delimiter, after) {
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// RolledUp returns the rolled-up prefix that contains a key, and false if none does.
func RolledUp(prefix, delimiter, key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	i := strings.Index(rest, delimiter)
	if !ok || delimiter == "" || i < 0 {
		return "", false
	}
	return prefix + rest[:i+len(delimiter)], true
}

// flat lists the objects after a key, and the rolled-up prefixes that sort after that key.
func (p *Portable) flat(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		if after > prefix && !strings.HasPrefix(after, prefix) {
			return // all keys with the prefix come before
		}
		l := newListing(p, prefix, delimiter, after)
		defer l.close()
		if err := l.run(ctx, yield); err != nil {
			yield(store.Object{}, p.Fail("listing", prefix, err))
		}
	}
}

// listing is one listing, of any number of pages.
type listing struct {
	p                        *Portable
	prefix, delimiter, after string // below the archive's prefix
	options                  blob.ListOptions
	resume                   Resume

	unordered bool // a page was not in the order of the keys
	isChecked bool // the driver's pages were
	empty     int  // pages in a row
	stalls    int  // empty pages in a row with the same token
	tokens    Tokens
	last      string // the key that was yielded last
}

func newListing(p *Portable, prefix, delimiter, after string) *listing {
	l := &listing{p: p, prefix: prefix, delimiter: delimiter, after: after}
	l.options = blob.ListOptions{Prefix: p.Prefix + prefix, Delimiter: delimiter, BeforeList: func(as func(any) bool) error {
		var q *ListRequest
		if as(&q) {
			q.check, q.Resume = l.checkPage, &l.resume
			if strings.HasPrefix(after, prefix) && after != "" { // some services list nothing after another key
				q.After = p.Prefix + after
			}
		}
		return nil
	}}
	return l
}

func (l *listing) close() {
	if l.resume.Close != nil {
		l.resume.Close()
	}
}

// run yields the objects. It returns an error of the service, or of its answers.
func (l *listing) run(ctx context.Context, yield func(store.Object, error) bool) error {
	page, token, err := l.next(ctx, blob.FirstPageToken)
	switch {
	case err != nil:
		return err
	case l.isUnordered() && store.WantsOrder(ctx):
		return store.ErrUnordered
	case len(token) == 0:
		slices.SortStableFunc(page, byKey)
	case l.isUnordered():
		return l.sorted(ctx, page, token, yield)
	}
	for {
		for i := range page {
			if goOn, err := l.yield(&page[i], yield); !goOn || err != nil {
				return err
			}
		}
		if len(token) == 0 {
			return nil
		}
		if page, token, err = l.next(ctx, token); err != nil {
			return err
		}
		if l.isUnordered() && store.WantsOrder(ctx) {
			return store.ErrUnordered
		}
	}
}

// isUnordered reports whether this listing or an earlier one has shown that the service does not list in order.
func (l *listing) isUnordered() bool {
	if l.unordered {
		l.p.Order.unordered.Store(true)
	}
	return l.p.Order.unordered.Load()
}

// yield passes on an object that comes after the last one.
func (l *listing) yield(o *store.Object, yield func(store.Object, error) bool) (goOn bool, err error) {
	switch {
	case o.Key == l.last && o.IsDir: // the page before had the same rolled-up prefix
		return true, nil
	case o.Key == l.last:
		return false, fmt.Errorf("%w: it has %q twice", ErrBadListing, o.Key)
	case o.Key < l.last:
		l.unordered = true
		l.isUnordered()
		return false, fmt.Errorf("%w: %q comes after %q", store.ErrUnordered, o.Key, l.last)
	}
	l.last = o.Key
	return yield(*o, nil), nil
}

// sorted yields a listing that is not in order, beginning with its first page.
func (l *listing) sorted(ctx context.Context, page []store.Object, token []byte, yield func(store.Object, error) bool) error {
	s := &sorter{scratch: l.p.Order.Scratch}
	defer s.close()
	for {
		if err := s.add(page); err != nil {
			return err
		}
		if len(token) == 0 {
			break
		}
		var err error
		if page, token, err = l.next(ctx, token); err != nil {
			return err
		}
	}
	for o, err := range s.all() {
		if err != nil {
			return err
		}
		if goOn, err := l.yield(&o, yield); !goOn || err != nil {
			return err
		}
	}
	return nil
}

// anyPage is the page size with which gocloud accepts each page of NewBucket's drivers, however many objects it has. It
// requests another one only if the page is empty.
const anyPage = 1

// next requests a page, and returns its objects after the listing's first key, and the token of the next page.
func (l *listing) next(ctx context.Context, token []byte) ([]store.Object, []byte, error) {
	page, next, err := l.p.Bucket.ListPage(ctx, token, anyPage, &l.options)
	if err == nil && !l.isChecked { // the driver is not one of ours
		err = l.checkToken(token, next, len(page))
	}
	if err != nil {
		return nil, nil, l.p.own(err)
	}
	objects := make([]store.Object, 0, len(page))
	for _, o := range page {
		object, ok, err := l.object(o)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			objects = append(objects, object)
		}
	}
	if !slices.IsSortedFunc(objects, byKey) {
		l.unordered = true
	}
	return objects, next, nil
}

func byKey(a, b store.Object) int { return strings.Compare(a.Key, b.Key) }

// checkPage checks one answer of the service, before gocloud requests the next one.
func (l *listing) checkPage(token []byte, page *driver.ListPage, unordered bool) error {
	l.isChecked = true
	l.unordered = l.unordered || unordered
	return l.checkToken(token, page.NextPageToken, len(page.Objects))
}

// checkToken returns an error if a listing would not end.
func (l *listing) checkToken(token, next []byte, objects int) error {
	if len(next) == 0 {
		return nil
	}
	if l.stalls++; objects > 0 || !bytes.Equal(token, next) {
		l.stalls = 0
	}
	if 0 < l.stalls && l.stalls <= maxStalls {
		return nil
	}
	if !l.tokens.Add(next) {
		return fmt.Errorf("%w: it repeats a token, so it would not end; %s", ErrBadListing, faultAdvice)
	}
	if l.empty++; objects > 0 {
		l.empty = 0
	}
	if l.empty > maxEmptyPages {
		return fmt.Errorf("%w: %d pages in a row are empty; %s", ErrBadListing, l.empty, faultAdvice)
	}
	return nil
}

// object converts an object of a page. It returns false for what the listing does not have.
func (l *listing) object(listed *blob.ListObject) (o store.Object, ok bool, err error) {
	o = store.Object{IsDir: listed.IsDir, Size: listed.Size, Modified: listed.ModTime}
	listed.As(&o)
	key, within := strings.CutPrefix(listed.Key, l.options.Prefix)
	o.Key = l.prefix + key
	dir, rolled := RolledUp(l.prefix, l.delimiter, o.Key)
	switch {
	case listed.Key == "":
		return o, false, fmt.Errorf("%w: it has an object without a key; %s", ErrBadListing, faultAdvice)
	case !within:
		return o, false, fmt.Errorf("%w: it has %q, which does not begin with %q", ErrBadListing, listed.Key, l.options.Prefix)
	case o.Size < 0:
		return o, false, fmt.Errorf("%w: it has no size of %q; %s", ErrBadListing, listed.Key, faultAdvice)
	case o.IsDir && (!rolled || dir != o.Key):
		return o, false, fmt.Errorf("%w: it has the prefix %q below %q", ErrBadListing, listed.Key, l.options.Prefix)
	case rolled: // a service may ignore the delimiter
		o = store.Object{Key: dir, IsDir: true}
	case o.Key == "" || strings.HasSuffix(o.Key, "/"):
		return o, false, nil // consoles make such objects as directories; no object of an archive has such a key
	}
	return o, o.Key > l.after, nil
}

// Tokens are the tokens of a listing that it has had. The zero value is ready for use.
type Tokens struct {
	seed maphash.Seed
	seen map[uint64]struct{}
}

// Add adds a token. It returns false if it was there.
func (t *Tokens) Add(token []byte) bool {
	if t.seen == nil {
		t.seed, t.seen = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	sum := maphash.Bytes(t.seed, token)
	_, known := t.seen[sum]
	t.seen[sum] = struct{}{}
	return !known
}
