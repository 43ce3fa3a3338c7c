package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

func ranges(t *testing.T, s store.Store, _ Options) {
	b := []byte("0123456789")
	put(t, s, "ranges/a", b)
	put(t, s, "ranges/empty", nil)
	for _, c := range []struct {
		key            string
		offset, length int64
		want           string
	}{
		{"ranges/a", 0, -1, "0123456789"},
		{"ranges/a", 0, 3, "012"},
		{"ranges/a", 3, 4, "3456"},
		{"ranges/a", 9, 1, "9"},
		{"ranges/a", 7, -1, "789"},
		{"ranges/a", 7, 100, "789"}, // no more than there is
		{"ranges/a", 4, 0, ""},
		{"ranges/a", 10, -1, ""},
		{"ranges/a", 10, 5, ""},
		{"ranges/a", 50, 5, ""},
		{"ranges/empty", 0, -1, ""},
		{"ranges/empty", 0, 4096, ""},
	} {
		if got := get(t, s, c.key, c.offset, c.length); string(got) != c.want {
			t.Errorf("Get %s %d+%d: %q, want %q", c.key, c.offset, c.length, got, c.want)
		}
	}
}

// rangesAtOnce reads one object by many requests at once, as a restore of a large object does.
func rangesAtOnce(t *testing.T, s store.Store, _ Options) {
	const each, n = 64<<10 + 1, 16
	b := make([]byte, each*n-100)
	if _, err := (content{seed: 7, size: int64(len(b))}).ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	put(t, s, "data/large", b)
	got := make([][]byte, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			r, err := s.Get(t.Context(), "data/large", int64(i*each), int64(min(each, len(b)-i*each)))
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			if got[i], err = io.ReadAll(r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if !bytes.Equal(bytes.Join(got, nil), b) {
		t.Error("the ranges do not make up the object")
	}
}

func missing(t *testing.T, s store.Store, o Options) {
	put(t, s, "here/a", []byte("a"))
	for _, key := range []string{"gone", "here/b", "here", "here/a/b"} {
		if _, err := s.Get(t.Context(), key, 0, -1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get %s: %v, want fs.ErrNotExist", key, err)
		}
		if _, err := s.Get(t.Context(), key, 5, 5); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get %s 5+5: %v, want fs.ErrNotExist", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat %s: %v, want fs.ErrNotExist", key, err)
		}
		if err, bad := s.Delete(t.Context(), store.AnyVersion(key)), o.BadDelete && key == "here"; (err != nil) != bad {
			t.Errorf("Delete %s: %v, want an error: %v", key, err, bad)
		}
	}
	if got := list(t, s, "nothing/here", "", ""); len(got) != 0 {
		t.Errorf("a listing of nothing: %v", got)
	}
	hasContent(t, s, Options{}, "here/a", SumsOf([]byte("a")))
}

// escape is a key that looks like the escapes of gocloud.dev's drivers.
const escape = "data/a__0x41__b/c__0x2f__d"

// odd returns unusual keys that the format allows.
func odd() []string {
	long := strings.Repeat("x", 200)
	return []string{
		"archive.json",
		"data/%2E%2e/...",
		"data/.hidden",
		"data/a%20b/x",
		"data/a%2Fb",
		"data/a=b",
		escape,
		"data/__0x",
		"data/-",
		"data/_",
		"data/=",
		"data/%25",
		"data/ABC",
		"data/abcd.E-F_G=%41",
		"data/x.",
		"data/x.zst.01234567.age",
		"long/" + long,
		strings.Repeat(long+"/", 4) + strings.Repeat("y", 96),
	}
}

func keys(t *testing.T, s store.Store, o Options) {
	odd := odd()
	if o.NoEscapes {
		odd = slices.DeleteFunc(odd, func(k string) bool { return strings.Contains(k, "__0x") })
		if err := tryPut(t, s, escape, strings.NewReader(""), SumsOf(nil)); err == nil {
			t.Errorf("Put %s succeeded", escape)
		}
	}
	for _, k := range odd {
		put(t, s, k, []byte(k))
	}
	for _, k := range odd {
		hasContent(t, s, o, k, SumsOf([]byte(k)))
		if got := list(t, s, k, "", ""); len(got) == 0 || got[0].Key != k || got[0].Size != int64(len(k)) {
			t.Errorf("listing %s: %v", k, got)
		}
	}
	var got []string
	for _, o := range list(t, s, "", "", "") {
		got = append(got, o.Key)
	}
	if want := slices.Sorted(slices.Values(odd)); !slices.Equal(got, want) {
		t.Errorf("listing\n%q\nwant\n%q", got, want)
	}
	if err := s.Delete(t.Context(), store.AnyVersion(odd...)); err != nil {
		t.Fatal(err)
	}
	if got := list(t, s, "", "", ""); len(got) != 0 {
		t.Errorf("after deleting all: %v", got)
	}
}

// badKeys checks that a store refuses keys that leave the archive's place or that services interpret differently.
func badKeys(t *testing.T, s store.Store, _ Options) {
	if _, ok := s.(*InMemory); ok {
		t.Skip("the store in memory takes any key")
	}
	for _, key := range []string{"", "/", "a/", "/a", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\\b", "a b", "a\x00b", "ä", "a~b", strings.Repeat("x", 201), strings.Repeat("xxx/", 250) + "x"} {
		if err := tryPut(t, s, key, bytes.NewReader(nil), SumsOf(nil)); err == nil {
			t.Errorf("Put %.40q succeeded", key)
		}
		if _, err := s.Get(t.Context(), key, 0, -1); err == nil {
			t.Errorf("Get %.40q succeeded", key)
		}
		if err := s.Delete(t.Context(), store.AnyVersion(key)); err == nil {
			t.Errorf("Delete %.40q succeeded", key)
		}
	}
	if got := list(t, s, "", "", ""); len(got) != 0 {
		t.Errorf("the listing shows %v", got)
	}
}

// listOrder compares every listing of a few keys with one computed by the rules of store.Store. The keys' order as
// paths differs from their order as bytes.
func listOrder(t *testing.T, s store.Store, o Options) {
	keys := []string{"a-b/x", "a-b/y", "a.d", "a/a", "a/b/c", "a/b/d", "a/b-", "a=", "aa", "b", "c/c/c", "c/c-", "c-", "a0/z"}
	for _, k := range keys {
		put(t, s, k, []byte(k))
	}
	prefixes := []string{"", "a", "a/", "a/b", "a/b/", "a-", "c/c/c", "c/c/c/", "d", "c/", "b"}
	afters := append([]string{"", "a", "a/", "a/b/c", "a/b", "a/c", "a0", "zz", "a-b/xx", "c/c/c"}, keys...)
	refused := 0
	for _, prefix := range prefixes {
		for _, delimiter := range []string{"", "/"} {
			for _, after := range afters {
				objects, err := tryList(t.Context(), t, s, prefix, delimiter, after)
				if delimiter != "" && after != "" && o.BadListing != nil && errors.Is(err, o.BadListing) {
					refused++
					continue
				}
				if err != nil {
					t.Fatalf("List %q %q %q: %v", prefix, delimiter, after, err)
				}
				var got []string
				for _, o := range objects {
					if o.IsDir != strings.HasSuffix(o.Key, "/") || (!o.IsDir && (o.Size != int64(len(o.Key)) || o.Modified.IsZero())) {
						t.Errorf("listing gives %+v", o)
					}
					got = append(got, o.Key)
				}
				if want := listed(keys, prefix, delimiter, after); !slices.Equal(got, want) {
					t.Errorf("List %q %q %q: %q, want %q", prefix, delimiter, after, got, want)
				}
			}
		}
	}
	if o.BadListing != nil && refused == 0 {
		t.Error("all listings are right: remove the option BadListing")
	}
	for range s.List(t.Context(), "", "", "") {
		break // a consumer may stop
	}
}

// listed returns the keys of a listing by the rules of store.Store.
func listed(keys []string, prefix, delimiter, after string) []string {
	found := map[string]bool{}
	for _, k := range keys {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok || k <= after {
			continue
		}
		if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
			k = prefix + rest[:i+1]
		}
		found[k] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// listMany lists several pages, with and without a key to start after.
func listMany(t *testing.T, s store.Store, o Options) {
	n, pages := o.Many, t.Context()
	if n == 0 {
		const small = 100
		n, pages = 2*small+50, cloud.WithPages(pages, small)
	}
	list := func(t *testing.T, s store.Store, prefix, delimiter, after string) []store.Object {
		t.Helper()
		return listWith(pages, t, s, prefix, delimiter, after)
	}
	var want []string
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(32)
	for i := range n {
		key := fmt.Sprintf("data/%08x.jdb/%03d", i, i%7)
		want = append(want, key)
		g.Go(func() error {
			_, err := s.Put(ctx, key, strings.NewReader("x"), SumsOf([]byte("x")))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	compare := func(got []store.Object, want []string, what string) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: %d keys, want %d", what, len(got), len(want))
		}
		for i := range got {
			if got[i].Key != want[i] {
				t.Fatalf("%s: key %d is %s, want %s", what, i, got[i].Key, want[i])
			}
		}
	}
	compare(list(t, s, "", "", ""), want, "all")
	compare(list(t, s, "data/", "", want[n/3]), want[n/3+1:], "after one")
	compare(list(t, s, "data/", "", want[n-1]), nil, "after the last")
	dirs := make([]string, n)
	for i, k := range want {
		dirs[i] = k[:strings.LastIndexByte(k, '/')+1]
	}
	compare(list(t, s, "data/", "/", ""), dirs, "rolled up")
	compare(list(t, s, "data/", "/", want[n/2]), dirs[n/2+1:], "rolled up, after")
	if err := s.Delete(t.Context(), store.AnyVersion(want...)); err != nil {
		t.Fatal(err)
	}
	compare(list(t, s, "", "", ""), nil, "after deleting all")
}

func deleteSome(t *testing.T, s store.Store, _ Options) {
	for _, k := range []string{"a/b/1", "a/b/2", "c"} {
		put(t, s, k, []byte(k))
	}
	if err := s.Delete(t.Context(), nil); err != nil {
		t.Errorf("Delete of nothing: %v", err)
	}
	if err := s.Delete(t.Context(), store.AnyVersion("a/b/1", "not/there", "c")); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if got := list(t, s, "", "", ""); len(got) != 1 || got[0].Key != "a/b/2" {
		t.Errorf("the rest: %v", got)
	}
	if err := s.Delete(t.Context(), store.AnyVersion("a/b/2")); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if got := list(t, s, "", "/", ""); len(got) != 0 {
		t.Errorf("the rest: %v", got)
	}
	put(t, s, "a/b/1", []byte("again")) // a deleted object may be created again
	hasContent(t, s, Options{}, "a/b/1", SumsOf([]byte("again")))
}

// sweep checks that Sweep removes nothing after successful Puts.
func sweep(t *testing.T, s store.Store, _ Options) {
	sweeper, ok := s.(store.Sweeper)
	if !ok {
		return
	}
	if n, err := sweeper.Sweep(context.WithoutCancel(t.Context())); n != 0 || err != nil {
		t.Errorf("Sweep before anything: %d, %v", n, err)
	}
	put(t, s, "a", []byte("a"))
	if n, err := sweeper.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("Sweep: %d, %v", n, err)
	}
	hasContent(t, s, Options{}, "a", SumsOf([]byte("a")))
}
