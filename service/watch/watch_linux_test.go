package watch

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// Linux permits a user 128 instances of inotify by default, and other programs need some, too.
func TestOneInstance(t *testing.T) { // not parallel: other tests have instances
	before := instances(t)
	w := New(t.Context(), slog.New(slog.DiscardHandler))
	for range 300 {
		if w.Dir(t.Context(), t.TempDir()) == nil {
			t.Fatal("a directory is not watched")
		}
	}
	w.waitUntilWatched(t, 300)
	if n := instances(t) - before; n != 1 {
		t.Errorf("%d instances for 300 directories", n)
	}
}

func instances(t *testing.T) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range all {
		if to, _ := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); to == "anon_inode:inotify" {
			n++
		}
	}
	return n
}
