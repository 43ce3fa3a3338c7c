package storetest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/strongroom-dev/strongroom/store"
)

// Thaws checks that a store meets the contract of store.Thawer. freeze moves an object to a class from which it must be
// thawed. The service of the test must thaw within a few requests for the object's state.
func Thaws(t *testing.T, s store.Store, freeze func(key string)) {
	t.Helper()
	const key, text = "data/frozen", "what was stored"
	thawer, ok := s.(store.Thawer)
	if !ok {
		t.Fatal("the store thaws nothing")
	}
	if _, err := PutBytes(t, s, key, []byte(text)); err != nil {
		t.Fatal(err)
	}
	state := func() store.Object { // a listing shows no thaw
		o, err := s.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	if o := state(); o.Frozen != "" || o.Thawing || !o.ThawedUntil.IsZero() {
		t.Errorf("before: %+v", o)
	}
	freeze(key)
	o := state()
	if o.Frozen == "" || o.Thawing || o.Size != int64(len(text)) || !thawer.MayBeFrozen(o.Class) {
		t.Fatalf("frozen: %+v", o)
	}
	if _, err := s.Get(t.Context(), key, 0, -1); !errors.Is(err, store.ErrFrozen) || errors.Is(err, store.ErrTransient) {
		t.Errorf("a read of a frozen object: %v", err)
	}
	if times := thawer.ThawTimes(o.Frozen); len(times) == 0 || times[0].Tier != store.ThawStandard {
		t.Errorf("the tiers: %+v", times)
	}
	r := store.ThawRequest{Tier: store.ThawStandard, Days: 2}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := thawer.Thaw(canceled, o, r); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled request: %v", err)
	}
	if err := thawer.Thaw(t.Context(), store.Object{Key: "data/missing", Class: o.Class}, r); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing object: %v", err)
	}
	for range 2 {
		if err := thawer.Thaw(t.Context(), o, r); err != nil {
			t.Fatal(err)
		}
	}
	now := state()
	for range 10 {
		if now.Frozen == "" {
			break
		}
		if !now.Thawing {
			t.Errorf("on the way: %+v", now)
		}
		now = state()
	}
	if now.Frozen != "" || now.Thawing || now.Version != o.Version {
		t.Fatalf("thawed: %+v, and it was %+v", now, o)
	}
	body, err := s.Get(t.Context(), key, 5, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if b, err := io.ReadAll(body); err != nil || string(b) != text[5:8] {
		t.Errorf("%q, %v", b, err)
	}
}
