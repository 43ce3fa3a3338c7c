package archive_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/jetest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A real JE whose cleaner has replaced every file since the last snapshot is the same database:
// with local state by its directory, on a new host by its log. The snapshots go on, and the next
// one restores everything.
func TestRealJEReplacedByItsCleaner(t *testing.T) {
	t.Parallel()
	const seed = 17
	dir := filepath.Join(t.TempDir(), "env")
	churn := jetest.StartChurn(t, dir, seed, 0)
	churn.Await(5_000)
	state := &archive.LocalState{Dir: t.TempDir()}
	src := (&jeLog{t: t, dir: dir}).source(source.LayoutOptions{})
	backup := func(a *archive.Archive) *archive.BackupResult {
		t.Helper()
		res, err := a.Backup(t.Context(), src, options)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	known, unknown := storetest.Memory(t), storetest.Memory(t)
	backup(archive.New(known, archive.Options{State: state}))
	backup(archive.New(unknown, archive.Options{}))
	files := newest(t, archive.New(unknown, archive.Options{})).Files
	awaitReplacement(t, dir, nextFile(t, files[len(files)-1].Name)) // which no snapshot holds
	for _, by := range []struct {
		how string
		a   *archive.Archive
	}{
		{"recognized by its directory", archive.New(known, archive.Options{State: state})},
		{"recognized by the numbers of its files and the times in their headers", archive.New(unknown, archive.Options{})},
	} {
		committed := churn.Committed()
		res := backup(by.a)
		if !slices.ContainsFunc(res.Warnings, func(w string) bool {
			return strings.Contains(w, by.how) && strings.Contains(w, "no snapshot holds")
		}) {
			t.Errorf("warnings %q, want one with %q and the files in no snapshot", res.Warnings, by.how)
		}
		m := newest(t, by.a)
		to := filepath.Join(t.TempDir(), "restored")
		if _, err := by.a.Restore(t.Context(), m, to, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := jetest.Check(t, to, seed); n < committed {
			t.Errorf("snapshot %d holds %d operations, and %d were committed before it", m.Sequence, n, committed)
		}
	}
}

// nextFile returns the name of the log file after one.
func nextFile(t *testing.T, name string) string {
	t.Helper()
	number, err := strconv.ParseUint(strings.TrimSuffix(name, ".jdb"), 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%08x.jdb", number+1)
}

// awaitReplacement waits until a cleaner has deleted every log file up to a name.
func awaitReplacement(t *testing.T, dir, last string) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		files, err := filepath.Glob(filepath.Join(dir, "*.jdb"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(files, func(f string) bool { return filepath.Base(f) <= last }) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the cleaner has not replaced the files up to %s: %d files are there", last, len(files))
		}
		time.Sleep(20 * time.Millisecond)
	}
}
