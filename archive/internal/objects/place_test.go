package objects_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

const placed = "data/log@1"

var (
	content    = []byte("the content that is to be stored\n")
	errRefused = errors.New("refused")
	wrongMD5   = "00000000000000000000000000000000"
)

// answers is a store with given answers to a Put and a Get; without them, those of the store in memory. It records the
// keys of Puts, and counts Gets.
type answers struct {
	*storetest.InMemory
	put  func(put func() (store.PutResult, error)) (store.PutResult, error)
	get  error
	puts []string
	gets int
}

func (a *answers) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	a.puts = append(a.puts, key)
	put := func() (store.PutResult, error) { return a.InMemory.Put(ctx, key, body, sums) }
	if a.put == nil {
		return put()
	}
	return a.put(put)
}

func (a *answers) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	a.gets++
	if a.get != nil {
		return nil, a.get
	}
	return a.InMemory.Get(ctx, key, offset, length)
}

func answer(r store.PutResult, err error) func(func() (store.PutResult, error)) (store.PutResult, error) {
	return func(func() (store.PutResult, error)) (store.PutResult, error) { return r, err }
}

func failure(err error) func(func() (store.PutResult, error)) (store.PutResult, error) {
	return answer(store.PutResult{}, err)
}

// Each answer of a store has one meaning, for every operation that puts an object.
func TestPlaceOnce(t *testing.T) {
	t.Parallel()
	const right, foreign, absent, unread = objects.Right, objects.Foreign, objects.Absent, objects.Unread
	cold := store.ErrFrozen
	existed := answer(store.PutResult{Existed: true}, nil)
	wrong := answer(store.PutResult{Existed: true, MD5: wrongMD5}, nil)
	frozen := answer(store.PutResult{Existed: true, Frozen: "GLACIER"}, nil)
	for name, c := range map[string]struct {
		there  []byte // the object under the key; nil for none
		put    func(func() (store.PutResult, error)) (store.PutResult, error)
		get    error
		md5    bool
		read   bool
		accept bool // Refused accepts what is there
		is     objects.Presence
		other  bool
		err    error // nil: none
		reads  bool  // whether the object is read back
	}{
		"created":                     {is: right},
		"the same content":            {there: content, is: right, reads: true},
		"a lost answer":               {put: lost, is: right, reads: true},
		"the same sums, forged":       {there: storetest.Forge(content), put: existed, is: foreign, reads: true},
		"a wrong MD5":                 {there: content, put: wrong, md5: true, is: foreign, reads: true},
		"a wrong MD5 that none needs": {there: content, put: wrong, is: right, reads: true},
		"other content":               {there: []byte("other"), is: foreign, err: errRefused},
		"other content, accepted":     {there: []byte("other"), accept: true, is: right, other: true},
		"gone before it is compared":  {put: existed, is: absent, reads: true},
		"frozen":                      {there: content, put: frozen, is: unread},
		"frozen, and thawed":          {there: content, put: frozen, read: true, is: right, reads: true},
		"frozen, and not thawed":      {there: content, put: frozen, read: true, get: cold, is: unread, reads: true},
		"frozen just now":             {there: content, get: cold, is: unread, reads: true},
		"unreadable":                  {there: content, get: storetest.ErrInjected, err: storetest.ErrInjected, reads: true},
		"a body with other bytes":     {put: failure(store.ErrMismatch), err: store.ErrMismatch},
		"a failure":                   {put: failure(storetest.ErrInjected), err: storetest.ErrInjected},
		"a frozen failure":            {put: failure(store.ErrFrozen), err: store.ErrFrozen},
		"something in the way":        {put: failure(&store.Blocked{AtKey: true}), err: store.ErrBlocked},
		"a context that has ended":    {put: failure(context.Canceled), err: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &answers{InMemory: storetest.Memory(t), put: c.put, get: c.get}
				if c.there != nil {
					s.Replace(placed, c.there)
				}
				at, err := objects.New(s, objects.Options{}).Place(t.Context(), &objects.Placement{
					Body: bytes.NewReader(content), Sums: storetest.SumsOf(content), Key: func(int) string { return placed },
					MD5: c.md5, Read: c.read,
					Refused: func(_ context.Context, _ string, err error) (objects.Presence, error) {
						if c.accept {
							return right, nil
						}
						return absent, fmt.Errorf("%w: %w", errRefused, err)
					},
				})
				if !errors.Is(err, c.err) || c.err == nil && (at.Is != c.is || at.Other != c.other) ||
					at.Stored.Existed != (name != "created") {
					t.Errorf("%+v, %v", at, err)
				}
				if (at.Err != nil) != (c.get == cold) || len(s.puts) != 1 || s.gets > 0 != c.reads {
					t.Errorf("%+v, %d puts and %d gets", at, len(s.puts), s.gets)
				}
				if c.there != nil && !bytes.Equal(s.Snapshot().Bytes(placed), c.there) {
					t.Error("the object was replaced")
				}
			})
		})
	}
}

// lost is a Put whose first response is lost, so that the store sends it again.
func lost(put func() (store.PutResult, error)) (store.PutResult, error) {
	if _, err := put(); err != nil {
		return store.PutResult{}, err
	}
	return put()
}

// Place tries as often as it may, each time under the next key, and returns the last outcome without an error.
func TestPlaceAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		taken   int   // keys with other content
		stop    error // of Again
		puts    int
		is      objects.Presence
		wantErr bool
	}{
		"the first key is free":  {0, nil, 1, objects.Right, false},
		"the third key is free":  {2, nil, 3, objects.Right, false},
		"no key is free":         {9, nil, 3, objects.Foreign, false},
		"no other key may be it": {9, errRefused, 1, objects.Foreign, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &answers{InMemory: storetest.Memory(t)}
			key := func(try int) string { return fmt.Sprint(placed, try) }
			for try := range c.taken {
				s.Replace(key(try), []byte("other"))
			}
			var again []string
			at, err := objects.New(s, objects.Options{}).Place(t.Context(), &objects.Placement{
				Body: bytes.NewReader(content), Sums: storetest.SumsOf(content), Tries: 3, Key: key,
				Refused: func(context.Context, string, error) (objects.Presence, error) { return objects.Foreign, nil },
				Again: func(at objects.Placed) error {
					again = append(again, at.Key)
					return c.stop
				},
			})
			if at.Is != c.is || at.Key != key(c.puts-1) || c.wantErr != (err != nil) || !errors.Is(err, c.stop) {
				t.Errorf("%+v, %v", at, err)
			}
			want := s.puts
			if at.Is == objects.Right {
				want = want[:len(want)-1]
			}
			if len(s.puts) != c.puts || !slices.Equal(again, want) {
				t.Errorf("put %q, and again after %q", s.puts, again)
			}
		})
	}
}
