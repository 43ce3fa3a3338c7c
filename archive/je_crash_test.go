package archive_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/jetest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A crashed is the environment of a real JE that died while it wrote.
type crashed struct {
	*jeLog
	archive *archive.Archive
}

// newest is the number of the highest log file there is.
func (c *crashed) newest() int {
	c.t.Helper()
	n := 0
	for ; ; n++ {
		if _, err := os.Stat(c.path(n)); err != nil {
			return n - 1
		}
	}
}

func (c *crashed) size(n int) int64 {
	c.t.Helper()
	info, err := os.Stat(c.path(n))
	if err != nil {
		c.t.Fatal(err)
	}
	return info.Size()
}

// holds checks that a capture holds closed files up to the tail, and the tail. It must leave out
// just the given files, with a reason that names each.
func (c *crashed) holds(tail int, ignored ...string) {
	c.t.Helper()
	capture, err := c.source(source.LayoutOptions{}).Capture(c.t.Context(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	defer capture.Close()
	states, want := map[string]source.State{}, map[string]source.State{name(tail): source.Tail}
	for i := range capture.Files {
		states[capture.Files[i].Name] = capture.Files[i].State
	}
	for n := range tail {
		want[name(n)] = source.Closed
	}
	if !maps.Equal(states, want) {
		c.t.Errorf("captured %v, want %v", states, want)
	}
	var out []string
	for _, f := range capture.Ignored {
		out = append(out, f.Name+" "+f.Why)
	}
	if !slices.EqualFunc(out, ignored, strings.HasPrefix) {
		c.t.Errorf("ignored %q, want %q", out, ignored)
	}
}

// restores backs up, checks the snapshot's entry for its tail, and opens the restored set with JE:
// it must hold the records that the environment held. Only the given files are damaged.
func (c *crashed) restores(tail int, want jetest.Digest, damaged ...string) {
	c.t.Helper()
	res := c.backup(c.archive, source.LayoutOptions{})
	if !res.Committed || !slices.Equal(res.Damaged, damaged) || len(res.Warnings)+len(res.Changed) > 0 {
		c.t.Errorf("backup: %+v", res)
	}
	m := newest(c.t, c.archive)
	for i := range m.Files {
		f := &m.Files[i]
		state := manifest.Closed
		if f.Name == name(tail) {
			state = manifest.Tail
		}
		if f.State != state || f.Check == nil || f.Damaged() != slices.Contains(damaged, f.Name) {
			c.t.Errorf("%s is %v, and its entries: %+v", f.Name, f.State, f.Check)
		}
	}
	if size := fileOf(c.t, c.archive, tail).Size; len(m.Files) != tail+1 || size != c.whole(tail) {
		c.t.Errorf("%d files, with %d bytes of the tail; want %d, with %d", len(m.Files), size, tail+1, c.whole(tail))
	}
	to := filepath.Join(c.t.TempDir(), "restored")
	if _, err := c.archive.Restore(c.t.Context(), m, to, archive.RestoreOptions{}); err != nil {
		c.t.Fatal(err)
	}
	if got := jetest.Count(c.t, to); got != want {
		c.t.Errorf("snapshot %d: JE finds %+v, want %+v", m.Sequence, got, want)
	}
}

// whole is where the last whole entry of a log file ends.
func (c *crashed) whole(n int) int64 {
	c.t.Helper()
	r := c.source(source.LayoutOptions{}).Layout().EntryReader(name(n))
	r.Write(c.content(n))
	return r.End()
}

// copy copies the environment, so that JE can open the copy.
func (c *crashed) copy(t *testing.T) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(c.dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// begin makes as much of a log file as JE does before it writes the first entry.
func (c *crashed) begin(n, size int) {
	c.t.Helper()
	r := c.source(source.LayoutOptions{}).Layout().EntryReader(name(n - 1))
	r.Write(c.content(n - 1))
	header := entriestest.NewJE(6, uint32(n), uint32(r.Result().Last)).Bytes
	if err := os.WriteFile(c.path(n), header[:size], 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// JE dies in the middle of writing, about when it begins file N+1. When it starts again, it goes on
// in N, and uses N+1 when N is full. So N is not closed before N+1 holds an entry, and until then
// N+1 is not included.
func TestCrashedJE(t *testing.T) {
	t.Parallel()
	died := &crashed{jeLog: &jeLog{t: t, dir: filepath.Join(t.TempDir(), "env")}}
	jetest.Write(t, died.dir, 8000, 1)
	held := jetest.Crash(t, died.dir, 1000, 2)
	for _, tt := range []struct {
		next    string
		size    int // of N+1; -1 if there is none
		why     string
		refused bool // JE 3.3 does not open the environment before N+1 is removed
		stale   bool // JE 3.3 keeps the header of N+1
	}{
		{next: "nothing", size: -1},
		{next: "an empty file", size: 0, why: "it is empty"},
		{next: "a header", size: 38, why: "it has no entry yet", stale: true},
		{next: "20 bytes", size: 20, why: "it has no entry yet", refused: true},
	} {
		t.Run(tt.next, func(t *testing.T) {
			t.Parallel()
			c := &crashed{&jeLog{t: t, dir: died.copy(t)}, archive.New(storetest.Memory(t), archive.Options{})}
			n := c.newest()
			var ignored []string
			if tt.size >= 0 {
				c.begin(n+1, tt.size)
				ignored = []string{name(n+1) + " " + tt.why}
			}
			c.holds(n, ignored...)
			c.restores(n, held)

			// JE comes up again, and goes on in N.
			if _, err := jetest.Open(t, c.copy(t)); tt.refused != contains(err, name(n+1)) || tt.refused != (err != nil) {
				t.Errorf("JE opens what the crash left: %v", err)
			}
			if tt.refused {
				if err := os.Remove(c.path(n + 1)); err != nil {
					t.Fatal(err)
				}
				ignored = nil
			}
			size := c.size(n)
			want := jetest.Crash(t, c.dir, 100, 3)
			if now := c.size(n); now <= size {
				t.Fatalf("JE did not go on in %s: %d bytes, then %d", name(n), size, now)
			}
			c.holds(n, ignored...)
			c.restores(n, want)

			// Then it gets to N+1, and N is closed.
			want = jetest.Crash(t, c.dir, 6000, 4)
			last := c.newest()
			if last <= n || c.whole(n+1) <= 38 {
				t.Fatalf("JE ends with %s, of %d bytes", name(last), c.size(last))
			}
			c.holds(last)
			if tt.stale {
				// By its header N ends where it ended when JE died. JE 3.3 uses that when it reads
				// the log backwards, and finds too little: this damage is real.
				want = jetest.Count(t, c.copy(t))
				c.restores(last, want, name(n))
			} else {
				c.restores(last, want)
			}
			mustVerify(t, c.archive)
		})
	}
}
