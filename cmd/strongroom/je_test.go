package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/source/jetest"
)

// The main job with a real Berkeley DB Java Edition: it writes, is backed up, writes
// more, is backed up again, and is lost. Each snapshot is restored from the URL alone,
// JE opens it, and finds exactly the records of that moment.
func TestJERoundTrip(t *testing.T) {
	whole(t)
	for _, d := range destinations() {
		t.Run(d.name, func(t *testing.T) {
			url := d.url(t)
			db := filepath.Join(t.TempDir(), "db")
			want := map[int]jetest.Digest{}
			var sizes []int64
			for n := 1; n <= 3; n++ {
				want[n] = jetest.Write(t, db, 12_000, int64(n))
				sizes = append(sizes, backedUp(t, db, url, n))
			}
			if sizes[1] > sizes[0]+sizes[0]/2 || sizes[2] > sizes[0]+sizes[0]/2 {
				t.Errorf("later backups of as many records sent %v bytes: more than what is new", sizes)
			}
			if err := os.RemoveAll(db); err != nil {
				t.Fatal(err)
			}
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
}

// backedUp makes snapshot n and gives the bytes sent for it. What it sent is only what
// is new: a second backup right after it sends nothing.
func backedUp(t *testing.T, db, url string, n int) int64 {
	t.Helper()
	backup := func() (committed bool, sent int64) {
		out := succeed(t, "backup", "--json", "--source", db, url).stdout
		var reports []struct {
			Committed bool  `json:"committed"`
			SentBytes int64 `json:"sent_bytes"`
		}
		if err := json.Unmarshal([]byte(out), &reports); err != nil || len(reports) != 1 {
			t.Fatalf("backup %d: %s (%v)", n, out, err)
		}
		return reports[0].Committed, reports[0].SentBytes
	}
	committed, sent := backup()
	if !committed {
		t.Fatalf("backup %d made no snapshot", n)
	}
	if committed, more := backup(); committed || more > 0 {
		t.Fatalf("a backup of nothing new sent %d bytes", more)
	}
	return sent
}
