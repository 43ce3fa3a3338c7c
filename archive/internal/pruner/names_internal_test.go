package pruner

import (
	"errors"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

// A newer program may name objects in a field that this one ignores. If the entry lies in a page,
// the manifest does not show the field, so prune checks each entry.
func TestEntriesOfPagesWithUnknownFieldsStopAPrune(t *testing.T) {
	t.Parallel()
	files := []manifest.File{{Name: "00000000.jdb"}, {Name: "00000001.jdb", Unknown: true}}
	if err := newMarkSet().files(files); !errors.Is(err, errNewer) {
		t.Fatal(err)
	}
	if err := newMarkSet().files(files[:1]); err != nil {
		t.Fatal(err)
	}
}
