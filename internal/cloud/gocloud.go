package cloud

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"gocloud.dev/blob"

	"github.com/strongroom-dev/strongroom/store"
)

// ListPage is the number of objects that one listing request asks for. S3, GCS and Azure return at most
// that many.
const ListPage = 1000

// Portable is the half of a Store that several adapters share: it reads and lists through
// *blob.Bucket. Hooks adapt it to one provider's driver.
type Portable struct {
	Bucket *blob.Bucket
	Prefix string // the archive's prefix in the bucket: empty, or ends in "/"
	Hooks  Hooks
	Fail   func(op, key string, err error) error // returns err as an *Error of an operation on a key
}

// Hooks reach the provider's own types through gocloud's As functions. A nil hook leaves gocloud's
// default. The portable types lack some fields, and the drivers escape keys: they would read and list
// a key with "__0x41__", which the format allows, under another name.
type Hooks struct {
	Read   func(as func(any) bool, key string)           // sets the unescaped key of a read
	List   func(as func(any) bool, prefix, after string) // sets the unescaped prefix, and the key to start after
	Name   func(o *blob.ListObject) string               // returns the unescaped key
	Stamp  func(o *blob.ListObject) string               // returns store.Object's Version
	Frozen func(o *blob.ListObject) string               // returns store.Object's Frozen
	Beyond func(err error) bool                          // reports whether the offset is at or beyond the end
}

// Get implements store.Store. An offset at or beyond the end returns no bytes and no error.
func (p *Portable) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := CheckKey(key); err != nil {
		return nil, p.Fail("getting", key, err)
	}
	o := &blob.ReaderOptions{}
	if p.Hooks.Read != nil {
		o.BeforeRead = func(as func(any) bool) error {
			p.Hooks.Read(as, p.Prefix+key)
			return nil
		}
	}
	r, err := p.Bucket.NewRangeReader(ctx, p.Prefix+key, offset, length, o)
	if err != nil && p.Hooks.Beyond != nil && p.Hooks.Beyond(err) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, p.Fail("getting", key, err)
	}
	return NamedReader(r, key, p.Fail), nil
}

// NamedReader returns body, with fail called on each error of Read except io.EOF. So the error names
// the key if a connection breaks in the middle of an object.
func NamedReader(body io.ReadCloser, key string, fail func(op, key string, err error) error) io.ReadCloser {
	return &reader{body, key, fail}
}

type reader struct {
	io.ReadCloser
	key  string
	fail func(op, key string, err error) error
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.fail("reading", r.key, err)
	}
	return n, err
}

// List implements store.Store.
func (p *Portable) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return RollUp(ctx, p.Flat, prefix, delimiter, after)
}

// RollUp lists through flat as store.Store.List requires. It handles a key after that is inside a
// rolled-up prefix, which flat does not.
func RollUp(ctx context.Context, flat FlatList, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		// Services disagree on what starting within a rolled-up prefix means. So a first
		// listing checks whether that prefix has a later key.
		if dir, ok := RolledUp(prefix, delimiter, after); ok {
			for _, err := range flat(ctx, dir, "", after) {
				if !yield(store.Object{Key: dir, IsDir: true}, err) || err != nil {
					return
				}
				break
			}
		}
		for o, err := range flat(ctx, prefix, delimiter, after) {
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

// FlatList lists the objects after a key, and the rolled-up prefixes that sort after that key.
type FlatList func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error]

// Flat is the FlatList of the bucket. It requests one page at a time.
func (p *Portable) Flat(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		o := &blob.ListOptions{Prefix: p.Prefix + prefix, Delimiter: delimiter}
		if p.Hooks.List != nil {
			start := ""
			if after != "" {
				start = p.Prefix + after
			}
			o.BeforeList = func(as func(any) bool) error {
				p.Hooks.List(as, p.Prefix+prefix, start)
				return nil
			}
		}
		for token := blob.FirstPageToken; len(token) > 0; {
			page, next, err := p.Bucket.ListPage(ctx, token, ListPage, o)
			if err != nil {
				yield(store.Object{}, p.Fail("listing", prefix, err))
				return
			}
			for _, o := range p.objects(page) {
				if o.Key > after && !yield(o, nil) {
					return
				}
			}
			token = next
		}
	}
}

// objects converts a page, and sorts it: unescaping may have changed its order.
func (p *Portable) objects(page []*blob.ListObject) []store.Object {
	out := make([]store.Object, 0, len(page))
	for _, o := range page {
		key := o.Key
		if p.Hooks.Name != nil {
			key = p.Hooks.Name(o)
		}
		one := store.Object{Key: strings.TrimPrefix(key, p.Prefix), IsDir: o.IsDir}
		if !o.IsDir {
			if IsMarker(one.Key) {
				continue
			}
			one.Size, one.Modified = o.Size, o.ModTime
			if p.Hooks.Stamp != nil {
				one.Version = p.Hooks.Stamp(o)
			}
			if p.Hooks.Frozen != nil {
				one.Frozen = p.Hooks.Frozen(o)
			}
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b store.Object) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// IsMarker reports whether a listed key is that of a marker, by which consoles show an empty directory. Its key ends in
// "/", or is that of the archive's prefix itself. No object of an archive has such a key.
func IsMarker(key string) bool { return key == "" || strings.HasSuffix(key, "/") }

// Close closes the bucket.
func (p *Portable) Close() error { return p.Bucket.Close() }
