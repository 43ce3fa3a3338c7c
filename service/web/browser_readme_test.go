package web

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// readmeArchives are the archives of the README's pictures: three databases. A backup of one is running.
func readmeArchives() []Archive {
	const mebi, gibi = 1 << 20, 1 << 30
	of := func(name, destination string, every time.Duration, size int64, seed int64) Archive {
		last := noon.Truncate(every).Add(12 * time.Second)
		a := Archive{
			Name: name, Destination: destination, Address: destination, Layout: "je", Schedule: "*/15 * * * *",
			LastSuccess: last, NextRun: noon.Truncate(every).Add(every),
			RecoverableThrough: Point{At: last, File: fmt.Sprintf("%08x.jdb", 0xc00+seed*31), Size: 7 * mebi},
			Behind:             &Behind{Files: 1, Bytes: (3 + seed) * mebi},
			Newest:             Contents{Files: 2100 + seed*11, Bytes: size * 2, StoredBytes: size},
			Kept:               &Kept{Snapshots: 112 + seed, Oldest: noon.Add(-400 * day)},
			LastVerification: Verification{
				At: noon.Add(-9 * time.Hour), Objects: 2113 + seed, ObjectsTotal: 2113 + seed, Bytes: size / 30, BytesTotal: size + size/3,
				ReadBytes: size + size/3 - size/8*(seed%2), ReadTotal: size + size/3, ReadSince: noon.Add(-31 * day),
			},
			LastDrill:     Drill{At: noon.Add(-3*day - time.Hour), Snapshot: 90 + seed, Duration: 4*time.Minute + 11*time.Second},
			ProvenRestore: noon.Add(-3*day - time.Hour),
			Tasks: []Task{
				{Name: TaskVerify, LastSuccess: noon.Add(-9 * time.Hour), NextRun: noon.Add(15 * time.Hour), Last: 3 * time.Minute},
				{Name: TaskDrill, LastSuccess: noon.Add(-3 * day), NextRun: noon.Add(4 * day), Last: 4 * time.Minute},
				{Name: TaskPrune, LastSuccess: noon.Add(-12 * time.Hour), NextRun: noon.Add(12 * time.Hour), Last: 4 * time.Second},
			},
		}
		x := uint64(seed) * 0x9e3779b97f4a7c15
		for i := range int64(timelineRuns) {
			x ^= x << 13
			x ^= x >> 7
			x ^= x << 17
			r := Run{
				Start: last.Add(-time.Duration(timelineRuns-1-i) * every), Outcome: Made, Snapshot: 100 + i, Files: 3,
				AddedBytes: int64(x%60+8) * mebi, Duration: time.Duration(900+x%1700) * time.Millisecond,
			}
			if x%9 == 0 {
				r.Outcome, r.Snapshot, r.AddedBytes, r.Files, r.Duration = Unchanged, 0, 0, 0, 180*time.Millisecond
			}
			a.History = append(a.History, r)
		}
		return a
	}
	orders := of("orders", "s3://backups/orders/node-1?region=eu-central-1", 15*time.Minute, 18*gibi, 1)
	orders.Running, orders.RunningSince, orders.NextRun = true, noon.Add(-70*time.Second), time.Time{}
	users := of("users", "azblob://backups/users", time.Hour, 6*gibi, 2)
	ledger := of("ledger", "file:///mnt/backup/ledger", 15*time.Minute, 41*gibi, 3)
	return []Archive{orders, users, ledger}
}

// TestBrowserReadme checks the page of the README's pictures, and takes them if STRONGROOM_PICTURES names a directory,
// as make pictures does.
func TestBrowserReadme(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	srv := httptest.NewServer(newServer(t, &fake{archives: readmeArchives()}, token).Handler())
	defer srv.Close()
	dir := os.Getenv("STRONGROOM_PICTURES")
	for _, scheme := range []string{"light", "dark"} {
		do(t, b, view(look{960, scheme}), chromedp.Navigate(srv.URL+"/"))
		b.check(t)
		if got := value(t, b, chromedp.Text("h1")); got != "All 3 archives are healthy" {
			t.Errorf("the page begins with %q", got)
		}
		if dir == "" {
			continue
		}
		png := value(t, b, chromedp.CaptureScreenshot())
		if err := os.WriteFile(filepath.Join(dir, "status-"+scheme+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
