package storetest

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/strongroom-dev/strongroom/store"
)

// The service itself refuses bytes that do not match their checksum, and bytes that would replace an object. Not
// only the adapter does, which checks beforehand.
func trial(t *testing.T, s store.Store, o Options) {
	service, ok := s.(store.FaultProbe)
	if !ok {
		return // the adapter is the service
	}
	err := service.PutWithWrongChecksum(t.Context(), "trial/wrong", []byte("something"))
	_, there := s.Stat(t.Context(), "trial/wrong")
	switch l, ok := s.(store.Waiver); {
	case ok && l.Waives(store.Checksums):
		if err != nil || there != nil {
			t.Errorf("without a checksum: %v, and then %v", err, there)
		}
	case !errors.Is(err, store.ErrMismatch) || !errors.Is(there, fs.ErrNotExist):
		t.Errorf("a wrong checksum: %v, want ErrMismatch; afterwards: %v", err, there)
	}
	first, second := bytes.Repeat([]byte("first "), 3<<20), bytes.Repeat([]byte("other "), 3<<20)
	if err := service.PutOverExisting(t.Context(), "trial/over", first); err != nil {
		t.Fatalf("a large object: %v", err)
	}
	if err := service.PutOverExisting(t.Context(), "trial/over", second); !errors.Is(err, store.ErrExists) {
		t.Errorf("another over it: %v, want ErrExists", err)
	}
	if !bytes.Equal(get(t, s, "trial/over", 0, -1), first) {
		t.Error("the object was replaced")
	}
	if o.NoVersions {
		return
	}
	put(t, s, "trial/version", []byte("a version"))
	err = service.DeleteVersion(t.Context(), "trial/version", stat(t, s, "trial/over").Version)
	_, there = s.Stat(t.Context(), "trial/version")
	if ignored := err == nil && errors.Is(there, fs.ErrNotExist); ignored != o.IgnoresVersions ||
		!ignored && (!errors.Is(err, store.ErrChanged) || there != nil) {
		t.Errorf("a delete whose condition does not hold: %v, and then %v", err, there)
	}
	if o.Uploads != nil && o.Uploads(t, s, "trial/over") > 0 {
		t.Error("an upload remains")
	}
}
