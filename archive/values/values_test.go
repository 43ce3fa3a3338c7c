package values

import (
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

// A prune reports how much it deleted, and callers go by whether it is anything.
func TestAllKindsCount(t *testing.T) {
	t.Parallel()
	if got := (PruneCounts{Manifests: 1, Objects: 2, Records: 4, Proofs: 8}).All(); got != 15 {
		t.Errorf("%d", got)
	}
}

// A file that a database wrote on may have the state of a closed one and the same content, or the
// other way round. Each is a change.
func TestDiffShowsContentAndState(t *testing.T) {
	t.Parallel()
	was := manifest.File{Name: "00000001.jdb", SHA256: manifest.Sum([]byte("a")), State: manifest.Tail}
	other, closed := was, was
	other.SHA256, closed.State = manifest.Sum([]byte("b")), manifest.Closed
	for want, is := range map[int]manifest.File{0: was, 1: other} {
		d := Diff(&manifest.Manifest{Files: []manifest.File{was}}, &manifest.Manifest{Files: []manifest.File{is}})
		if len(d.Changed) != want {
			t.Errorf("%+v: %+v", is, d)
		}
	}
	d := Diff(&manifest.Manifest{Files: []manifest.File{was}}, &manifest.Manifest{Files: []manifest.File{closed}})
	if len(d.Changed) != 1 {
		t.Errorf("closed: %+v", d)
	}
}
