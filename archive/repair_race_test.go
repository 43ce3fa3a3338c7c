package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A meeting is a store that runs a function when a key is read or deleted, one at a time. The
// function must not use the meeting itself.
type meeting struct {
	*storetest.InMemory
	read, deleted func(key string) // nil: nothing
	dead          bool             // it takes nothing any more
	one           chan struct{}    // full while a function runs; waiting for a mutex would stop virtual time
}

func meet(s *storetest.InMemory) *meeting { return &meeting{InMemory: s, one: make(chan struct{}, 1)} }

func (s *meeting) alone(do func()) {
	s.one <- struct{}{}
	defer func() { <-s.one }()
	do()
}

func (s *meeting) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	dead := false
	s.alone(func() { dead = s.dead })
	if dead {
		return store.PutResult{}, errCrashed
	}
	return s.InMemory.Put(ctx, key, body, sums)
}

func (s *meeting) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	s.alone(func() {
		if s.read != nil {
			s.read(key)
		}
	})
	return s.InMemory.Get(ctx, key, offset, length)
}

func (s *meeting) Delete(ctx context.Context, objects []store.Object) error {
	err := s.InMemory.Delete(ctx, objects)
	s.alone(func() {
		if s.deleted != nil {
			s.deleted(objects[0].Key)
		}
	})
	return err
}

// Two repairs find the same damage. One is suspended, and killed after its delete. It does not
// delete the object that the other has restored in the meantime.
func TestRepairDeletesOnlyWhatIsDamaged(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		good := h.store.Clone()
		key := h.store.Keys(manifest.DataPrefix)[0]
		h.store.Damage(key, flipped)
		slow := meet(good.Clone())
		slow.read = func(k string) { // while the first reads the copy, the second repairs it
			if slow.read = nil; k != key {
				t.Fatalf("%s is read", k)
			}
			if r := mustRepair(t, h.store, from(good)); len(r.Repaired) != 1 {
				t.Fatalf("%+v", r)
			}
		}
		s := meet(h.store)
		s.deleted = func(string) { s.dead = true }
		r, err := archive.New(s, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{ReadData: true, Repair: &archive.RepairFrom{Copies: []*archive.Archive{archive.New(slow, archive.Options{})}}})
		if err != nil || len(r.Problems) > 0 || slow.read != nil {
			t.Errorf("%+v, %v", r, err)
		}
		if !h.store.Snapshot().Equal(good.Snapshot()) {
			t.Error("it is not what it was")
		}
	})
}

// The newest manifest is damaged. While a repair takes it away to put the right one in its
// place, a backup of another host takes no number that it had, and if the repair is killed
// there, the next one ends well.
func TestRepairOfTheNewestBesideBackups(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{false, true} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 3)
			good, key := h.store.Clone(), manifest.ManifestKey(3)
			h.store.Damage(key, func(b []byte) []byte { return b[:len(b)-20] })
			s := meet(h.store)
			s.deleted = func(k string) {
				if k != key {
					t.Fatalf("%s is deleted", k)
				}
				if n := h.next(); n != 4 {
					t.Errorf("a backup takes number %d", n)
				}
				s.dead = killed
			}
			r, err := archive.New(s, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{Repair: from(good)})
			if err != nil || killed != (len(r.Problems) > 0) {
				t.Errorf("killed %v: %+v, %v", killed, r, err)
			}
			if killed {
				mustRepair(t, h.store, from(good))
			}
			if !bytes.Equal(h.store.Snapshot().Bytes(key), good.Snapshot().Bytes(key)) {
				t.Errorf("killed %v: manifest 3 is not what it was", killed)
			}
			h.keepLast(9)
			h.sound(1, 2, 3, 4)
		})
	}
}

// An operator who stops a repair in the moment between the delete and the put does not lose the
// object.
func TestRepairIsStopped(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		good := h.store.Clone()
		h.store.Damage(h.store.Keys(manifest.DataPrefix)[0], flipped)
		ctx, cancel := context.WithCancel(t.Context())
		s := meet(h.store)
		s.deleted = func(string) { cancel() }
		if _, err := archive.New(s, archive.Options{}).Verify(ctx, archive.VerifyOptions{ReadData: true, Repair: from(good)}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if !h.store.Snapshot().Equal(good.Snapshot()) {
			t.Error("it is not what it was")
		}
	})
}

// The newest manifest is damaged, and a backup goes on from it and records the damaged hash. A
// repair is killed after it has deleted the manifest: the next one still has the right hash.
func TestRepairOfWhatWasNamedDamagedIsKilled(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		good, key := h.store.Clone(), manifest.ManifestKey(3)
		h.store.Damage(key, func(b []byte) []byte { return b[:len(b)-20] })
		h.next()
		s := meet(h.store)
		s.deleted = func(string) { s.dead = true }
		if r, err := archive.New(s, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{Repair: from(good)}); err != nil || len(r.Problems) == 0 || !s.dead {
			t.Fatalf("%+v, %v", r, err)
		}
		if r := mustRepair(t, h.store, from(good)); len(r.Problems) > 0 {
			t.Fatalf("%+v", r)
		}
		h.keepLast(9)
		h.sound(1, 2, 3, 4)
	})
}
