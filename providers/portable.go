package providers

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

// listPage is how many objects are asked for at once: what S3, GCS and Azure give at most.
const listPage = 1000

// portable is the half of a Store that all adapters share: it reads and lists through
// *blob.Bucket. What a driver does its own way is told in hooks.
type portable struct {
	bucket *blob.Bucket
	prefix string // of the archive in the bucket: "" or what ends in "/"
	hooks  hooks
	fail   func(op, key string, err error) error
}

// hooks reach the provider's own types through gocloud's As functions. Each may be nil.
// They are needed for what the portable types cannot say, and because drivers escape
// keys: a key that holds "__0x41__", which the format allows, would be read and listed
// under another name than Put gave it.
type hooks struct {
	read   func(as func(any) bool, key string)           // read this very key
	list   func(as func(any) bool, prefix, after string) // list this very prefix, after that key
	name   func(o *blob.ListObject) string               // the real key
	crc32c func(o *blob.ListObject) *manifest.CRC32C     // where a listing has it
	beyond func(err error) bool                          // the offset lies at or beyond the end
}

// Get implements store.Store. An offset at or beyond the end reads as nothing.
func (p *portable) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, p.fail("getting", key, err)
	}
	o := &blob.ReaderOptions{}
	if p.hooks.read != nil {
		o.BeforeRead = func(as func(any) bool) error {
			p.hooks.read(as, p.prefix+key)
			return nil
		}
	}
	r, err := p.bucket.NewRangeReader(ctx, p.prefix+key, offset, length, o)
	if err != nil && p.hooks.beyond != nil && p.hooks.beyond(err) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, p.fail("getting", key, err)
	}
	return &reader{r, p, key}, nil
}

// reader says which key it was that broke off.
type reader struct {
	io.ReadCloser
	store *portable
	key   string
}

func (r *reader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.store.fail("reading", r.key, err)
	}
	return n, err
}

// List implements store.Store.
func (p *portable) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return rollUp(ctx, p.flat, prefix, delimiter, after)
}

// rollUp lists through flat, which does not know whether after lies in a rolled-up prefix.
func rollUp(ctx context.Context, flat flatList, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		// Services disagree on what starting within a rolled-up prefix means. Whether
		// anything in it is still to come is looked up, and then it is done with.
		if dir, ok := rolledUp(prefix, delimiter, after); ok {
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

// rolledUp gives the rolled-up prefix in which a key lies, if it lies in one.
func rolledUp(prefix, delimiter, key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	i := strings.Index(rest, delimiter)
	if !ok || delimiter == "" || i < 0 {
		return "", false
	}
	return prefix + rest[:i+len(delimiter)], true
}

// flatList lists what comes after a key, and of rolled-up prefixes only those that begin
// after it.
type flatList func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error]

// flat lists page by page what comes after a key; rolled-up prefixes only that begin
// after it.
func (p *portable) flat(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		o := &blob.ListOptions{Prefix: p.prefix + prefix, Delimiter: delimiter}
		if p.hooks.list != nil {
			start := ""
			if after != "" {
				start = p.prefix + after
			}
			o.BeforeList = func(as func(any) bool) error {
				p.hooks.list(as, p.prefix+prefix, start)
				return nil
			}
		}
		for token := blob.FirstPageToken; len(token) > 0; {
			page, next, err := p.bucket.ListPage(ctx, token, listPage, o)
			if err != nil {
				yield(store.Object{}, p.fail("listing", prefix, err))
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
func (p *portable) objects(page []*blob.ListObject) []store.Object {
	out := make([]store.Object, len(page))
	for i, o := range page {
		key := o.Key
		if p.hooks.name != nil {
			key = p.hooks.name(o)
		}
		out[i] = store.Object{Key: strings.TrimPrefix(key, p.prefix), IsDir: o.IsDir}
		if o.IsDir {
			continue
		}
		out[i].Size, out[i].Modified = o.Size, o.ModTime
		if p.hooks.crc32c != nil {
			out[i].CRC32C = p.hooks.crc32c(o)
		}
	}
	slices.SortFunc(out, func(a, b store.Object) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// Close lets go of the bucket.
func (p *portable) Close() error { return p.bucket.Close() }
