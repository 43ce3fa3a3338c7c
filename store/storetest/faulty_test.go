package storetest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// recorder is a test that may fail without failing this one.
type recorder struct{ said []string }

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func put(t *testing.T, s store.Store, key, content string) error {
	t.Helper()
	_, err := s.Put(t.Context(), key, strings.NewReader(content), storetest.SumsOf([]byte(content)))
	return err
}

func TestConscience(t *testing.T) {
	t.Parallel()
	key := manifest.DataKey("a.jdb", manifest.Sum([]byte("a")), 1, manifest.Plain, nil)
	zst := manifest.DataKey("a.jdb", manifest.Sum([]byte("a")), 1, manifest.Zstd, nil)
	for name, c := range map[string]struct {
		do   func(s store.Store)
		says string
	}{
		"nothing wrong":   {func(s store.Store) { put(t, s, key, "a"); put(t, s, key, "a") }, ""},
		"a key that lies": {func(s store.Store) { put(t, s, key, "b") }, "the content has another hash"},
		"a change":        {func(s store.Store) { put(t, s, zst, "x"); put(t, s, zst, "y") }, "would change"},
		"another manifest": {func(s store.Store) {
			put(t, s, "manifests/000/000/001.json", "x")
			put(t, s, "manifests/000/000/001.json", "y")
		}, ""},
		"a broken promise": {func(s store.Store) {
			s.Put(t.Context(), "x", strings.NewReader("x"), storetest.SumsOf([]byte("y")))
		}, "do not match their sums"},
	} {
		var r recorder
		c.do(storetest.Memory(&r))
		if said := strings.Join(r.said, "\n"); (c.says == "") != (said == "") || !strings.Contains(said, c.says) {
			t.Errorf("%s: it reported %q, want %q", name, said, c.says)
		}
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	var r recorder
	m := storetest.Memory(&r)
	put(t, m, "a", "abc")
	before := m.Snapshot()
	c := m.Clone()
	m.Damage("a", storetest.FlipBit(-1))
	if got := m.Snapshot().Bytes("a"); bytes.Equal(got, []byte("abc")) || len(got) != 3 {
		t.Errorf("after FlipBit: %q", got)
	}
	m.Damage("a", storetest.Truncate(1))
	m.Replace("b", []byte("b"))
	if got := m.Snapshot(); string(got.Bytes("a")) != "a" || !slices.Equal(m.Keys(""), []string{"a", "b"}) || got.Equal(before) {
		t.Errorf("after all damage: %v", got)
	}
	m.Remove("a")
	if !slices.Equal(m.Keys(""), []string{"b"}) || !c.Snapshot().Equal(before) {
		t.Errorf("the clone changed: %v", c.Keys(""))
	}
	m.Damage("a", storetest.Truncate(0))
	if len(r.said) != 1 {
		t.Errorf("damage to nothing reported %q", r.said)
	}
}

func TestFaulty(t *testing.T) {
	t.Parallel()
	work := func(s store.Store) error {
		if err := put(t, s, "a", "content"); err != nil {
			return err
		}
		if _, err := s.Stat(t.Context(), "a"); err != nil {
			return err
		}
		r, err := s.Get(t.Context(), "a", 0, -1)
		if err != nil {
			return err
		}
		if _, err := io.ReadAll(r); err != nil {
			return err
		}
		for _, err := range s.List(t.Context(), "", "", "") {
			if err != nil {
				return err
			}
		}
		return s.Delete(t.Context(), store.AnyVersion("a"))
	}
	for _, mode := range []storetest.Mode{storetest.NotApplied, storetest.AnswerLost} {
		for n := range 6 {
			m := storetest.Memory(t)
			f := storetest.NewFaulty(m, n, mode)
			err := work(f)
			if hit := n < 5; f.Hit() != hit || errors.Is(err, storetest.ErrInjected) != hit {
				t.Errorf("%s, operation %d: hit %v, %v", mode, n, f.Hit(), err)
			}
			if there := len(m.Keys("")) == 1; n < 5 && there != (n > 0 && n < 4 || n == 0 && mode == storetest.AnswerLost || n == 4 && mode == storetest.NotApplied) {
				t.Errorf("%s, operation %d: the object is there: %v", mode, n, there)
			}
			if want := min(n+1, 5); f.Ops().Total() != want {
				t.Errorf("%s, operation %d: %+v", mode, n, f.Ops())
			}
		}
	}
}

func TestFaultyRecord(t *testing.T) {
	t.Parallel()
	f := storetest.NewFaulty(storetest.Memory(t), 0, storetest.AnswerLost)
	if err := put(t, f, "a", "a"); !errors.Is(err, storetest.ErrInjected) || len(f.Acknowledged()) != 0 {
		t.Fatalf("%v, %v", err, f.Acknowledged())
	}
	for range 2 {
		f.Arm(-1, storetest.NotApplied)
		if len(f.SentAgain()) != 0 {
			t.Errorf("sent again: %v", f.SentAgain())
		}
		if err := put(t, f, "a", "a"); err != nil { // the first time, its existence was unknown
			t.Fatal(err)
		}
	}
	if !slices.Equal(f.SentAgain(), []string{"a"}) || !slices.Equal(f.Acknowledged(), []string{"a"}) || f.Made("a") != 0 {
		t.Errorf("sent again %v, acknowledged %v, made %d", f.SentAgain(), f.Acknowledged(), f.Made("a"))
	}
	down := storetest.NewFaulty(storetest.Memory(t), 1, storetest.NotApplied).Down()
	for i, want := range []bool{true, false, false} {
		if err := put(t, down, "a", "a"); (err == nil) != want {
			t.Errorf("operation %d: %v", i, err)
		}
	}
}
