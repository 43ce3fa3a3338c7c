package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
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

// An object with an MD5 that the manifests lack cannot be compared. Verify must not report it as
// damaged.
func TestChecksumThatManifestsLackIsNoProblem(t *testing.T) {
	t.Parallel()
	v := &verifyRun{report: &VerifyReport{}}
	v.compare(&store.Object{Key: "data/x", MD5: "0123"}, &need{})
	if v.report.Compared != 0 || v.report.Uncompared != 1 || len(v.report.Problems) > 0 {
		t.Errorf("%+v", v.report)
	}
}

// What a figure leaves out is stated: an archive of ten thousand snapshots does not have one thousand.
func TestStatsOfManySnapshots(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	dir := t.TempDir()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "bdb"})
	if err != nil {
		t.Fatal(err)
	}
	a := New(storetest.Memory(t), Options{})
	logFile := func(n int) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("log.%010d", n)), []byte("entries"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	logFile(1)
	src, err := source.Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		logFile(n + 2)
		if _, err := a.Backup(t.Context(), src, BackupOptions{Node: "db-1", Tool: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	for most, has := range map[int]int{1: 1, 2: 2, 3: 2} {
		s, err := a.stats(t.Context(), most)
		if err != nil || len(s.Snapshots) != has || s.HasMore != (most < 2) || s.Snapshots[has-1].Sequence != 2 {
			t.Errorf("of at most %d: %+v, %v", most, s, err)
		}
	}
}
