package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/source/jetest"
)

// The main job with a real Berkeley DB Java Edition: it writes, is backed up, writes
// more, is backed up again, and is lost. Each snapshot is restored from the URL alone,
// JE opens it, and finds exactly the records of that moment.
func TestJERoundTrip(t *testing.T) {
	whole(t)
	t.Parallel()
	inMemory := destination{"mem", func(t *testing.T) string { return "mem://" + rand.Text() + "/orders" }}
	all := append(clouds(), inMemory)
	urls := make([]string, len(all))
	for i, d := range all {
		urls[i] = d.url(t)
	}
	each := func(what string, test func(t *testing.T, url string)) {
		t.Run(what, func(t *testing.T) {
			for i, d := range all {
				t.Run(d.name, func(t *testing.T) {
					t.Parallel()
					test(t, urls[i])
				})
			}
		})
	}
	db := filepath.Join(t.TempDir(), "db")
	want := map[int]jetest.Digest{}
	var before jeLog
	for n := 1; n <= 3; n++ {
		want[n] = jetest.Write(t, db, 12_000, int64(n))
		now := readJELog(t, db)
		each(fmt.Sprintf("backup %d", n), func(t *testing.T, url string) {
			sent, adopted := backedUp(t, db, url, n)
			// On a slow machine an answer may be late: the next try finds the object there, and adopts it.
			if isNew := now.newSince(before); sent > isNew || sent < isNew && adopted == 0 {
				t.Errorf("it sent %d bytes, and %d are new; %d files were adopted", sent, isNew, adopted)
			}
		})
		before = now
	}
	if err := os.RemoveAll(db); err != nil {
		t.Fatal(err)
	}
	each("restore", func(t *testing.T, url string) {
		for n, records := range want {
			to := filepath.Join(t.TempDir(), "restored")
			succeed(t, "restore", fmt.Sprintf("%s@%d", url, n), "--to", to)
			if got := jetest.Count(t, to); got != records {
				t.Errorf("snapshot %d: JE finds %+v, want %+v", n, got, records)
			}
		}
		succeed(t, "verify", "--read-data", url)
	})
}

// jeLog is the content of JE's log files, by name.
type jeLog map[string]string

func readJELog(t *testing.T, dir string) jeLog {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.jdb"))
	if err != nil {
		t.Fatal(err)
	}
	l := jeLog{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		l[filepath.Base(name)] = string(b)
	}
	return l
}

func (l jeLog) open() string { return slices.Max(slices.Collect(maps.Keys(l))) }

// newSince is how many bytes a snapshot must send: what was appended to a file that is
// still open, a file that was closed since then whole, and new files.
func (l jeLog) newSince(before jeLog) int64 {
	var n int
	for name, content := range l {
		was, existed := before[name]
		open := name == l.open()
		wasOpen := existed && name == before.open()
		switch {
		case existed && was == content && open == wasOpen:
		case open && existed && strings.HasPrefix(content, was):
			n += len(content) - len(was)
		default:
			n += len(content)
		}
	}
	return int64(n)
}

// backedUp makes snapshot n and returns the number of bytes sent for it, and of the files that it found stored already.
// Only new content is sent: a second backup right after it sends nothing.
func backedUp(t *testing.T, db, url string, n int) (sent int64, adopted int) {
	t.Helper()
	backup := func() (committed bool, sent int64, adopted int) {
		out := succeed(t, "backup", "--json", "--source", db, url).stdout
		var reports []struct {
			Committed bool  `json:"committed"`
			SentBytes int64 `json:"sent_bytes"`
			Adopted   int   `json:"adopted"`
		}
		if err := json.Unmarshal([]byte(out), &reports); err != nil || len(reports) != 1 {
			t.Fatalf("backup %d: %s (%v)", n, out, err)
		}
		return reports[0].Committed, reports[0].SentBytes, reports[0].Adopted
	}
	committed, sent, adopted := backup()
	if !committed {
		t.Fatalf("backup %d made no snapshot", n)
	}
	if committed, more, _ := backup(); committed || more > 0 {
		t.Fatalf("a backup of nothing new sent %d bytes", more)
	}
	return sent, adopted
}
