package watch

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const short = 50 * time.Millisecond

// eventually waits for a hint.
func eventually(t *testing.T, hints <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-hints:
	case <-time.After(5 * time.Minute):
		t.Fatalf("no hint after %s", what)
	}
}

// settle waits until no hint comes any more.
func settle(hints <-chan struct{}) {
	for {
		select {
		case <-hints:
		case <-time.After(4 * short):
			return
		}
	}
}

func write(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	below := filepath.Join(dir, "data001")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	hints := newWatcher(t.Context(), slog.New(slog.DiscardHandler), short).Dir(t.Context(), dir)
	begun := make(chan struct{})
	go func() { // the watch begins in its own time
		for {
			select {
			case <-begun:
				return
			case <-time.After(10 * time.Millisecond):
				write(t, filepath.Join(dir, "first"))
			}
		}
	}()
	eventually(t, hints, "the first write")
	close(begun)
	settle(hints)
	later := filepath.Join(dir, "data002")
	for _, step := range []struct {
		what string
		do   func()
	}{
		{"a write", func() { write(t, filepath.Join(dir, "first")) }},
		{"a write below", func() { write(t, filepath.Join(below, "a")) }},
		{"a rename", func() { os.Rename(filepath.Join(dir, "first"), filepath.Join(dir, "second")) }},
		{"a new directory", func() { os.Mkdir(later, 0o700) }},
		{"a write in it", func() { write(t, filepath.Join(later, "b")) }},
		{"a removal", func() { os.Remove(filepath.Join(dir, "second")) }},
	} {
		step.do()
		eventually(t, hints, step.what)
		settle(hints)
	}
}

// A database that writes without end gives a hint now and then.
func TestHintsAreFew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hints := newWatcher(t.Context(), slog.New(slog.DiscardHandler), short).Dir(t.Context(), dir)
	begin, n := time.Now(), 0
	for n < 8 {
		write(t, filepath.Join(dir, "log"))
		select {
		case <-hints:
			n++
		default:
		}
		if time.Since(begin) > 5*time.Minute {
			t.Fatalf("%d hints in %v", n, time.Since(begin))
		}
	}
	if d := time.Since(begin); d < 3*short { // two for each time between
		t.Errorf("%d hints in %v", n, d)
	}
}

func TestMissingDirectory(t *testing.T) {
	t.Parallel()
	hints := New(t.Context(), slog.New(slog.DiscardHandler)).Dir(t.Context(), filepath.Join(t.TempDir(), "missing"))
	select {
	case <-hints:
		t.Error("a hint of nothing")
	case <-time.After(50 * time.Millisecond):
	}
}

// One directory can be watched by several archives, also by another path. A hint reaches each of them, and
// no other.
func TestSharedDirectory(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	w := newWatcher(t.Context(), slog.New(slog.DiscardHandler), short)
	ended, end := context.WithCancel(t.Context())
	first, second, third := w.Dir(ended, dir), w.Dir(t.Context(), dir), w.Dir(t.Context(), link)
	alone := w.Dir(t.Context(), other)
	w.waitUntilWatched(t, 4)
	write(t, filepath.Join(dir, "a"))
	for i, hints := range []<-chan struct{}{first, second, third} {
		eventually(t, hints, "a write, for the watch "+strconv.Itoa(i))
		settle(hints)
	}
	select {
	case <-alone:
		t.Error("a hint for another directory")
	default:
	}
	end()
	w.waitUntilWatched(t, 3)
	write(t, filepath.Join(dir, "b"))
	eventually(t, second, "a write after another watch has ended")
}

// waitUntilWatched waits until this number of directories is watched.
func (w *Watcher) waitUntilWatched(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		watched := 0
		for _, users := range w.users {
			watched += len(users)
		}
		w.mu.Unlock()
		if watched == n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d directories are watched, not %d", watched, n)
		}
	}
}
