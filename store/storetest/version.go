package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/store"
)

// stat returns an object as Stat and List do, which must return the same version.
func stat(t *testing.T, s store.Store, key string) store.Object {
	t.Helper()
	o, err := s.Stat(t.Context(), key)
	if err != nil {
		t.Fatalf("Stat %s: %v", key, err)
	}
	listed := list(t, s, key, "", "")
	if o.Version == "" || len(listed) == 0 || listed[0].Key != key || listed[0].Version != o.Version {
		t.Fatalf("%s: Stat returns version %q, and List %+v", key, o.Version, listed)
	}
	return o
}

// deleteVersions checks that a Delete with a version removes nothing else: a repair that reads an object and deletes
// it later must not delete what another repair has restored in between.
func deleteVersions(t *testing.T, s store.Store, o Options) {
	const key = "data/a/1"
	if o.NoVersions {
		deleteWithoutVersions(t, s, key)
		return
	}
	remove := func(objects ...store.Object) error { return s.Delete(t.Context(), objects) }
	put(t, s, key, []byte("damaged"))
	put(t, s, "data/a/2", []byte("another"))
	damaged, other := stat(t, s, key), stat(t, s, "data/a/2")
	if damaged.Version == other.Version {
		t.Errorf("two objects have version %s", damaged.Version)
	}
	if err := remove(damaged); err != nil {
		t.Fatalf("Delete of what was read: %v", err)
	}
	if err := remove(damaged); err != nil {
		t.Errorf("Delete of what is gone: %v", err)
	}
	put(t, s, key, []byte("correct"))
	if o.IgnoresVersions && !o.ComparesVersions {
		return
	}
	if err := remove(damaged); !errors.Is(err, store.ErrChanged) || !strings.Contains(err.Error(), key) {
		t.Errorf("a late Delete: %v, want ErrChanged for %s", err, key)
	}
	hasContent(t, s, Options{}, key, SumsOf([]byte("correct")))

	if !o.IgnoresVersions { // with others, whose condition holds
		if err := remove(damaged, other); !errors.Is(err, store.ErrChanged) || !strings.Contains(err.Error(), key) {
			t.Errorf("a late Delete among others: %v, want ErrChanged for %s", err, key)
		}
		if got := list(t, s, "", "", ""); len(got) != 1 || got[0].Key != key {
			t.Errorf("the rest: %v", got)
		}
	}
	correct := stat(t, s, key)
	if err := remove(correct); err != nil {
		t.Fatalf("Delete of what is there: %v", err)
	}
	put(t, s, key, []byte("correct"))
	if again := stat(t, s, key); (again.Version == correct.Version) != o.SameVersion {
		t.Errorf("the same content, put again, has version %s after %s", again.Version, correct.Version)
	}
	if err := s.Delete(t.Context(), store.AnyVersion(key, "data/a/2")); err != nil {
		t.Errorf("Delete of any version: %v", err)
	}
	if got := list(t, s, "", "", ""); len(got) != 0 {
		t.Errorf("the rest: %v", got)
	}
}

// deleteWithoutVersions checks that a store without versions does not take another store's version for its own.
func deleteWithoutVersions(t *testing.T, s store.Store, key string) {
	put(t, s, key, []byte("some"))
	o, err := s.Stat(t.Context(), key)
	if listed := list(t, s, key, "", ""); err != nil || o.Version != "" || len(listed) != 1 || listed[0].Version != "" {
		t.Fatalf("Stat returns %+v, %v, and List %+v", o, err, listed)
	}
	o.Version = "another store's"
	if err := s.Delete(t.Context(), []store.Object{o}); !errors.Is(err, store.ErrChanged) || !strings.Contains(err.Error(), key) {
		t.Errorf("Delete of a version: %v, want ErrChanged for %s", err, key)
	}
	hasContent(t, s, Options{}, key, SumsOf([]byte("some")))
}

// racingRepairs runs several repairs of one object at once. Once one of them has read the correct object back, no
// other may delete it.
func racingRepairs(t *testing.T, s store.Store, o Options) {
	if o.IgnoresVersions || o.NoVersions {
		return // the guarantee is missing, and check reports it
	}
	const key, repairs, rounds = "data/a/1", 6, 5
	for range rounds {
		put(t, s, key, []byte("damaged"))
		var all sync.WaitGroup
		for range repairs {
			all.Go(func() {
				if err := repairOnce(t.Context(), s, key, "correct"); err != nil {
					t.Errorf("a repair: %v", err)
				}
			})
		}
		all.Wait()
		hasContent(t, s, Options{}, key, SumsOf([]byte("correct")))
		if err := s.Delete(t.Context(), store.AnyVersion(key)); err != nil {
			t.Fatal(err)
		}
	}
}

// repairOnce deletes an object with other content, and puts the correct one, until it has read that back. It returns
// an error if that is gone afterwards.
func repairOnce(ctx context.Context, s store.Store, key, correct string) error {
	for {
		is, err := s.Stat(ctx, key)
		got, readErr := readAll(ctx, s, key)
		switch err = errors.Join(err, readErr); {
		case errors.Is(err, store.ErrTransient): // a service may break the read of an object that another repair deletes
			if ctx.Err() != nil {
				return err
			}
			continue
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case got == correct:
			now, err := readAll(ctx, s, key)
			if err == nil && now != correct {
				err = errors.New("it has other content again")
			}
			return err
		default:
			if err := s.Delete(ctx, []store.Object{is}); err != nil && !errors.Is(err, store.ErrChanged) {
				return err
			}
		}
		b := []byte(correct)
		if _, err := s.Put(ctx, key, bytes.NewReader(b), SumsOf(b)); err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
}

func readAll(ctx context.Context, s store.Store, key string) (string, error) {
	r, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}
