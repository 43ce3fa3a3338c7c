package archiver

import (
	"context"
	"errors"
	"testing"

	"github.com/strongroom-dev/strongroom/archive/internal/guard"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// blocking is a store that cannot find out what blocks a key.
type blocking struct{ *storetest.InMemory }

var errDenied = errors.New("access denied")

func (b *blocking) FindBlock(context.Context, string) (*store.Blocked, error) { return nil, errDenied }

// A dry run reports that the record cannot be written which the backup needs: the backup would fail after all content
// was sent.
func TestDryRunReportsABlockedRecord(t *testing.T) {
	t.Parallel()
	a := repo.New(&blocking{InMemory: storetest.Memory(t)}, objects.Options{})
	r := &backupRun{
		repo: a, o: &Options{BackupOptions: values.BackupOptions{TestPlaces: true}}, next: 1,
		src: &guard.Source{
			Repo: a, Head: &repo.Head{ID: &manifest.Archive{ID: "a"}}, Capture: &source.Capture{},
			ForkedFrom: &manifest.Ref{Sequence: 1},
		},
	}
	if err := r.rehearse(t.Context(), &values.Plan{}, true); !errors.Is(err, errDenied) {
		t.Errorf("%v, want the error of the test", err)
	}
}
