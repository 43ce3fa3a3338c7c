package cloud

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"gocloud.dev/blob"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// ListPage is how many objects are asked for at once: what S3, GCS and Azure give at most.
const ListPage = 1000

// Portable is the half of a Store that all adapters share: it reads and lists through
// *blob.Bucket. What a driver does its own way is told in hooks.
type Portable struct {
	Bucket *blob.Bucket
	Prefix string // of the archive in the bucket: "" or what ends in "/"
	Hooks  Hooks
	Fail   func(op, key string, err error) error
}

// Hooks reach the provider's own types through gocloud's As functions. Each may be nil.
// They are needed for what the portable types cannot say, and because drivers escape
// keys: a key that holds "__0x41__", which the format allows, would be read and listed
// under another name than Put gave it.
type Hooks struct {
	Read   func(as func(any) bool, key string)           // read this very key
	List   func(as func(any) bool, prefix, after string) // list this very prefix, after that key
	Name   func(o *blob.ListObject) string               // the real key
	crc32c func(o *blob.ListObject) *manifest.CRC32C     // where a listing has it
	Beyond func(err error) bool                          // the offset lies at or beyond the end
}

// Get implements store.Store. An offset at or beyond the end reads as nothing.
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

// NamedReader returns body with errors that name the key: a connection may break at any byte.
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

// RollUp lists through flat, which does not know whether after lies in a rolled-up prefix.
func RollUp(ctx context.Context, flat FlatList, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		// Services disagree on what starting within a rolled-up prefix means. Whether
		// anything in it is still to come is looked up, and then it is done with.
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

// RolledUp gives the rolled-up prefix in which a key lies, if it lies in one.
func RolledUp(prefix, delimiter, key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	i := strings.Index(rest, delimiter)
	if !ok || delimiter == "" || i < 0 {
		return "", false
	}
	return prefix + rest[:i+len(delimiter)], true
}

// FlatList lists what comes after a key, and of rolled-up prefixes only those that begin
// after it.
type FlatList func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error]

// Flat lists page by page what comes after a key; rolled-up prefixes only that begin
// after it.
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

// objects turns a page into what the archive knows. Unescaping may have changed its order.
func (p *Portable) objects(page []*blob.ListObject) []store.Object {
	out := make([]store.Object, len(page))
	for i, o := range page {
		key := o.Key
		if p.Hooks.Name != nil {
			key = p.Hooks.Name(o)
		}
		out[i] = store.Object{Key: strings.TrimPrefix(key, p.Prefix), IsDir: o.IsDir}
		if o.IsDir {
			continue
		}
		out[i].Size, out[i].Modified = o.Size, o.ModTime
		if p.Hooks.crc32c != nil {
			out[i].CRC32C = p.Hooks.crc32c(o)
		}
	}
	slices.SortFunc(out, func(a, b store.Object) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Close lets go of the bucket.
func (p *Portable) Close() error { return p.Bucket.Close() }
