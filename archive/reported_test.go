package archive_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// overtakenSource does something once, right after a capture.
type overtakenSource struct {
	*source.Directory
	do func()
}

func (s *overtakenSource) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	c, err := s.Directory.Capture(ctx, want)
	if do := s.do; do != nil && err == nil {
		s.do = nil
		do()
	}
	return c, err
}

// A backup that finds nothing new reports the newest snapshot that it has read. By then another
// host may have made a later one, and a prune may have dropped this one: a caller that relies on
// the report would have no snapshot.
func TestIdleBackupReportsNothingThatWasDropped(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 3)
	again := options
	again.Force = true
	src := &overtakenSource{h.db.source(), func() {
		if _, err := h.archive().Backup(context.Background(), h.db.source(), again); err != nil {
			t.Error(err)
		}
		h.keepLast(1)
	}}
	res, err := h.archive().Backup(t.Context(), src, options)
	if err != nil || res.Committed || res.Snapshot.Sequence != 4 {
		t.Errorf("%+v, %v", res.Snapshot, err)
	}
}

// The answer to a commit may be lost, and the manifest that lies there be that of another host:
// then this host has made no snapshot, and must not report the other one as its own.
func TestLostAnswerToALostRace(t *testing.T) {
	t.Parallel()
	mem := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 3)
	db.fill(4, 200)
	mustBackup(t, archive.New(mem, archive.Options{}), db)
	other := options
	other.Node, other.Force = "node-2", true
	s := &weak{InMemory: mem}
	s.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
		if key != manifest.ManifestKey(2) {
			return mem.Put(ctx, key, body, sums)
		}
		s.put = nil
		if _, err := archive.New(mem, archive.Options{}).Backup(ctx, db.source(), other); err != nil {
			t.Error(err)
		}
		return store.PutResult{}, errors.New("the answer was lost")
	}
	db.grow(100)
	res, err := archive.New(s, archive.Options{}).Backup(t.Context(), db.source(), options)
	if err != nil || res.Snapshot.Sequence != 3 {
		t.Fatalf("%+v, %v", res.Snapshot, err)
	}
	if m := newest(t, archive.New(mem, archive.Options{})); m.Sequence != 3 || m.Node != options.Node {
		t.Errorf("snapshot %d of %s", m.Sequence, m.Node)
	}
}
