package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

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
		if _, err := a.Backup(t.Context(), src, values.BackupOptions{Node: "db-1", Tool: "test"}); err != nil {
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
