package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/store"
)

// pagesDriver answers a listing with fixed pages. The token of a page is its index.
type pagesDriver struct {
	Driver
	pages  []fixedPage
	asked  int
	afters []string
	sizes  []int
}

// fixedPage has keys in the order of a service; rolled-up prefixes end in "/" and begin with "+".
type fixedPage struct {
	keys string // separated by spaces
	next string // the token; empty: the last page
	err  error
}

func (d *pagesDriver) ListPaged(_ context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	q, err := NewListRequest(o)
	if err != nil {
		return nil, err
	}
	d.asked++
	d.afters = append(d.afters, q.After)
	d.sizes = append(d.sizes, o.PageSize)
	at, _ := strconv.Atoi(string(o.PageToken))
	p := d.pages[at]
	var objects, prefixes []*driver.ListObject
	for key := range strings.FieldsSeq(p.keys) {
		if dir, ok := strings.CutPrefix(key, "+"); ok {
			prefixes = append(prefixes, ListedPrefix(dir))
			continue
		}
		objects = append(objects, ListedObject(&store.Object{Key: key, Size: 1}))
	}
	return &driver.ListPage{Objects: q.Merge(objects, prefixes), NextPageToken: []byte(p.next)}, p.err
}

func (d *pagesDriver) Attributes(context.Context, string) (*driver.Attributes, error) {
	return nil, ErrUnsupported
}

func (d *pagesDriver) NewRangeReader(context.Context, string, int64, int64, *driver.ReaderOptions) (driver.Reader, error) {
	return nil, ErrUnsupported
}

func listerOf(d driver.Bucket) *Portable {
	dialect := &Dialect{}
	return &Portable{
		Bucket: NewBucket(d, time.Minute), Prefix: "p/", Order: &Order{},
		Fail: func(op, key string, err error) error { return dialect.Wrap("test://p", op, key, err) },
	}
}

// collect lists until the first error.
func collect(ctx context.Context, p *Portable, prefix, delimiter, after string) (keys []string, _ error) {
	for o, err := range p.List(ctx, prefix, delimiter, after) {
		if err != nil {
			return keys, err
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

// Services answer listings in ways that no documentation allows. Each of them ends in an error, or in a listing that is
// complete and in order: never in a loop, and never in a listing that lacks an object.
func TestListing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		pages            []fixedPage
		delimiter, after string
		want             string
		err              error
	}{
		{name: "nothing", pages: []fixedPage{{}}},
		{name: "one page", pages: []fixedPage{{keys: "p/a p/b"}}, want: "a b"},
		{name: "pages", pages: []fixedPage{{keys: "p/a p/b", next: "1"}, {keys: "p/c", next: "2"}, {keys: "p/d"}}, want: "a b c d"},
		{name: "empty pages", pages: []fixedPage{{next: "1"}, {next: "2"}, {keys: "p/a", next: "3"}, {next: "4"}, {}}, want: "a"},
		{name: "a token of its own page", pages: []fixedPage{{keys: "p/a", next: "1"}, {keys: "p/b", next: "1"}}, err: ErrBadListing},
		{name: "empty pages in a circle", pages: []fixedPage{{next: "1"}, {next: "2"}, {next: "1"}}, err: ErrBadListing},
		{name: "an empty page for ever", pages: []fixedPage{{keys: "p/a", next: "1"}, {next: "1"}}, err: ErrBadListing},
		{name: "pages in a circle", pages: []fixedPage{{keys: "p/a", next: "1"}, {keys: "p/b", next: "2"}, {keys: "p/c", next: "1"}}, err: ErrBadListing},
		{name: "a page that fails", pages: []fixedPage{{keys: "p/a", next: "1"}, {err: CutListing()}}, err: ErrBadListing},
		{name: "another prefix", pages: []fixedPage{{keys: "p/a q/b"}}, err: ErrBadListing},
		{name: "a key twice", pages: []fixedPage{{keys: "p/a p/a"}}, err: ErrBadListing},
		{name: "a prefix that was not requested", pages: []fixedPage{{keys: "+p/a/"}}, err: ErrBadListing},
		{name: "a prefix of a prefix", pages: []fixedPage{{keys: "+p/a/b/"}}, delimiter: "/", err: ErrBadListing},
		{name: "merged", pages: []fixedPage{{keys: "p/a p/c +p/b/", next: "1"}, {keys: "p/d +p/d/"}}, delimiter: "/", want: "a b/ c d d/"},
		{name: "a prefix on two pages", pages: []fixedPage{{keys: "+p/b/", next: "1"}, {keys: "p/c +p/b/"}}, delimiter: "/", want: "b/ c"},
		{name: "no roll-up", pages: []fixedPage{{keys: "p/a p/b/1 p/b/2", next: "1"}, {keys: "p/b/3 p/c"}}, delimiter: "/", want: "a b/ c"},
		{name: "the key to begin after", pages: []fixedPage{{keys: "p/a p/b", next: "1"}, {keys: "p/c"}}, after: "b", want: "c"},
		{name: "markers of directories", pages: []fixedPage{{keys: "p/ p/a p/b/ p/b/c"}}, want: "a b/c"},
		{name: "markers, rolled up", pages: []fixedPage{{keys: "p/ p/a +p/b/"}}, delimiter: "/", want: "a b/"},
		{name: "one page in another order", pages: []fixedPage{{keys: "p/c p/a p/b"}}, want: "a b c"},
		{name: "pages in another order", pages: []fixedPage{{keys: "p/c p/a", next: "1"}, {keys: "p/d p/b"}}, want: "a b c d"},
		{name: "a key twice in another order", pages: []fixedPage{{keys: "p/c p/a", next: "1"}, {keys: "p/b p/a"}}, err: ErrBadListing},
		{name: "prefixes in another order", pages: []fixedPage{{keys: "+p/c/ +p/a/", next: "1"}, {keys: "+p/b/ +p/a/"}}, delimiter: "/", want: "a/ b/ c/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := &pagesDriver{Driver: Driver{&Dialect{}}, pages: c.pages}
			got, err := collect(t.Context(), listerOf(d), "", c.delimiter, c.after)
			if !errors.Is(err, c.err) || c.err == nil && (err != nil || !slices.Equal(got, strings.Fields(c.want))) {
				t.Errorf("%q, %v; want %q, %v", got, err, c.want, c.err)
			}
			if d.asked > len(c.pages)+1+maxStalls {
				t.Errorf("%d requests for %d pages", d.asked, len(c.pages))
			}
		})
	}
}

// A page may have fewer objects than it could: a page of versions lacks its last key, whose versions may continue. The
// next request is for a whole page all the same, and not for the few objects that are missing.
func TestListingOfShortPages(t *testing.T) {
	t.Parallel()
	var want []string
	d := &pagesDriver{Driver: Driver{&Dialect{}}}
	for page, size := range []int{ListPage - 1, ListPage, 1, ListPage - 2} {
		keys := numbers(size, len(want))
		want = append(want, keys...)
		d.pages = append(d.pages, fixedPage{keys: "p/" + strings.Join(keys, " p/"), next: strconv.Itoa(page + 1)})
	}
	d.pages = append(d.pages, fixedPage{})
	got, err := collect(t.Context(), listerOf(d), "", "", "")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%d keys, %v; want %d", len(got), err, len(want))
	}
	if all := slices.Repeat([]int{ListPage}, len(d.pages)); !slices.Equal(d.sizes, all) {
		t.Errorf("requested pages of %v objects, want %v", d.sizes, all)
	}
}

// A listing is streamed, so its disorder may show too late. It ends with ErrUnordered then, and the next one is sorted.
// An operation that needs the order gets the error each time.
func TestListingThatIsUnordered(t *testing.T) {
	t.Parallel()
	d := &pagesDriver{Driver: Driver{&Dialect{}}, pages: []fixedPage{
		{keys: "p/" + strings.Join(numbers(ListPage, 0), " p/"), next: "1"}, {keys: "p/0000-0"},
	}}
	p := listerOf(d)
	if got, err := collect(t.Context(), p, "", "", ""); !errors.Is(err, store.ErrUnordered) || len(got) != ListPage {
		t.Fatalf("%d keys, %v", len(got), err)
	}
	want := slices.Insert(numbers(ListPage, 0), 1, "0000-0")
	for range 2 {
		if got, err := collect(t.Context(), p, "", "", ""); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d keys, %v", len(got), err)
		}
		if got, err := collect(store.InOrder(t.Context()), p, "", "", ""); !errors.Is(err, store.ErrUnordered) || len(got) > 0 {
			t.Errorf("in order: %d keys, %v", len(got), err)
		}
	}
}

// The disorder of a later page counts, too, although its objects come after those of the first page.
func TestListingWithALaterPageInDisorder(t *testing.T) {
	t.Parallel()
	pages := []fixedPage{{keys: "p/" + strings.Join(numbers(ListPage, 0), " p/"), next: "1"}, {keys: "p/a/0 p/a-b/0 p/a.d"}}
	for _, ctx := range []context.Context{t.Context(), store.InOrder(t.Context())} {
		p := listerOf(&pagesDriver{Driver: Driver{&Dialect{}}, pages: pages})
		got, err := collect(ctx, p, "", "", "")
		if want := append(numbers(ListPage, 0), "a-b/0", "a.d", "a/0"); !store.WantsOrder(ctx) && (err != nil || !slices.Equal(got, want)) {
			t.Errorf("%d keys, %v", len(got), err)
		}
		if store.WantsOrder(ctx) && !errors.Is(err, store.ErrUnordered) {
			t.Errorf("in order: %d keys, %v", len(got), err)
		}
	}
}

func numbers(n, from int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%04d", from+i)
	}
	return keys
}

// Some services list nothing after a key outside of the prefix, and others list everything.
func TestListingAfterAnotherPrefix(t *testing.T) {
	t.Parallel()
	d := &pagesDriver{Driver: Driver{&Dialect{}}, pages: []fixedPage{{keys: "p/b/1 p/b/2"}}}
	p := listerOf(d)
	for after, want := range map[string]string{"a": "b/1 b/2", "b/1": "b/2", "b/": "b/1 b/2", "c": ""} {
		if got, err := collect(t.Context(), p, "b/", "", after); err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("after %s: %q, %v", after, got, err)
		}
	}
	slices.Sort(d.afters)
	if !slices.Equal(d.afters, []string{"", "p/b/", "p/b/1"}) {
		t.Errorf("requested after %q", d.afters)
	}
}

// stuckDriver never answers.
type stuckDriver struct{ pagesDriver }

func (d *stuckDriver) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if _, err := NewListRequest(o); err != nil {
		return nil, err
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// A page that never arrives ends the listing. The end of the caller's context does so at once.
func TestListingHasALimitInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := listerOf(&stuckDriver{pagesDriver{Driver: Driver{&Dialect{}}}})
		start := time.Now()
		_, err := collect(t.Context(), p, "", "", "")
		var own *Error
		if !errors.As(err, &own) || own.Kind != TimedOut || !strings.Contains(err.Error(), "took longer than 1m0s") || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := collect(ctx, p, "", "", ""); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "took longer") {
			t.Errorf("%v", err)
		}
	})
}

// A service may answer a few times that it has not got further: with an empty page, and the same token.
func TestListingThatStalls(t *testing.T) {
	t.Parallel()
	for stalls := range maxStalls + 2 {
		d := &stallingDriver{pagesDriver{Driver: Driver{&Dialect{}}, pages: []fixedPage{{keys: "p/a", next: "1"}, {keys: "p/b"}}}, stalls}
		got, err := collect(t.Context(), listerOf(d), "", "", "")
		if stalls <= maxStalls && (err != nil || !slices.Equal(got, []string{"a", "b"})) || stalls > maxStalls && !errors.Is(err, ErrBadListing) {
			t.Errorf("%d times: %q, %v", stalls, got, err)
		}
	}
}

type stallingDriver struct {
	pagesDriver
	left int
}

func (d *stallingDriver) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if len(o.PageToken) == 0 || d.left == 0 {
		return d.pagesDriver.ListPaged(ctx, o)
	}
	d.left--
	_, err := NewListRequest(o)
	return &driver.ListPage{NextPageToken: o.PageToken}, err
}

// A service may send new tokens with empty pages for ever.
func TestListingOfEmptyPages(t *testing.T) {
	t.Parallel()
	d := &endlessDriver{pagesDriver{Driver: Driver{&Dialect{}}}}
	if _, err := collect(t.Context(), listerOf(d), "", "", ""); !errors.Is(err, ErrBadListing) || d.asked != maxEmptyPages+1 {
		t.Errorf("%v after %d requests", err, d.asked)
	}
}

type endlessDriver struct{ pagesDriver }

func (d *endlessDriver) ListPaged(_ context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	_, err := NewListRequest(o)
	d.asked++
	return &driver.ListPage{NextPageToken: strconv.AppendInt(nil, int64(d.asked), 10)}, err
}
