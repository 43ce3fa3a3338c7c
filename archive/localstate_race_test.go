package archive_test

import (
	"context"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// overtaken is a store where something happens right after the manifests were listed.
type overtaken struct {
	*storetest.InMemory
	once  sync.Once
	rival func()
}

func (o *overtaken) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for object, err := range o.InMemory.List(ctx, prefix, delimiter, after) {
			if !yield(object, err) {
				break
			}
		}
		if strings.HasPrefix(prefix, manifest.ManifestsPrefix) {
			o.once.Do(o.rival)
		}
	}
}

// Two backups of one host share the local state. A snapshot that one of them committed while the
// other read the archive is not reported as missing.
func TestWitnessIsNoProphet(t *testing.T) {
	t.Parallel()
	for what, act := range map[string]func(a *archive.Archive, db *database) error{
		"backup": func(a *archive.Archive, db *database) error {
			res, err := a.Backup(context.Background(), db.source(), options)
			if err == nil && (len(res.Warnings) > 0 || res.Snapshot.Sequence != 3 || res.Snapshot.Parent.Sequence != 2) {
				t.Errorf("%+v, parent %+v", res, res.Snapshot.Parent)
			}
			return err
		},
		"verify": func(a *archive.Archive, _ *database) error {
			r, err := a.Verify(context.Background(), archive.VerifyOptions{})
			if err == nil && len(r.Problems) > 0 {
				t.Errorf("%+v", r.Problems)
			}
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			db := newDatabase(t, t.TempDir(), 1)
			db.flip(100)
			store := storetest.Memory(t)
			o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
			mustBackup(t, archive.New(store, o), db)
			db.flip(100)
			between := &overtaken{InMemory: store, rival: func() {
				mustBackup(t, archive.New(store, o), db)
				db.flip(100)
			}}
			if err := act(archive.New(between, o), db); err != nil {
				t.Fatal(err)
			}
			if r, err := archive.New(store, o).Verify(context.Background(), archive.VerifyOptions{}); err != nil || len(r.Problems) > 0 {
				t.Errorf("afterwards: %+v, %v", r, err)
			}
		})
	}
}
