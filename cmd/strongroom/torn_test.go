package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The service reports a sector that is lost in the newest file, once, as long as it is.
func TestServiceReportsATornTail(t *testing.T) {
	t.Parallel()
	whole(t)
	var mu sync.Mutex
	var states []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var p struct{ State, Was, Detail string }
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		states = append(states, p.Was+" to "+p.State+": "+p.Detail)
	}))
	t.Cleanup(hook.Close)
	sent := func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(states) }

	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	logDir(t, dir, 0, 3, 400_000) // entries of 50,000 bytes
	newest := filepath.Join(dir, "00000002.jdb")
	sound, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	torn := slices.Clone(sound)
	clear(torn[120_000:124_096])
	if err := writeLog(newest, torn); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "archives:\n"+inDir("orders", dir, to, `    schedule: "@every 1s"
    notify: ["webhook+`+hook.URL+`"]
    notify_after: 0s
`))
	s.until("the damage to be shown", func() bool { return s.archive("orders").State == "damaged" })
	s.until("the notification", func() bool { return len(sent()) == 1 })
	const first = "ok to damaged: 1 log file was damaged when archived, such as 00000002.jdb"
	if now := sent(); !strings.HasPrefix(now[0], first) {
		t.Errorf("sent was %q", now)
	}
	if a := s.archive("orders"); !slices.Equal(a.Damaged, []string{"00000002.jdb"}) {
		t.Errorf("%+v", a)
	}
	if n := s.metric("damaged_files", `archive="orders"`); n != 1 {
		t.Errorf("%v damaged files", n)
	}
	if _, page := s.get("/"); !strings.Contains(page, "1 file in it cannot be trusted") {
		t.Error("the page does not show the damage")
	}
	runs := func() float64 { return s.metric("runs_total", `archive="orders",outcome="unchanged"`) }
	before := runs()
	s.until("two more runs", func() bool { return runs() >= before+2 })
	if now := sent(); len(now) != 1 {
		t.Errorf("sent was %q", now)
	}
	back := filepath.Join(t.TempDir(), "r")
	succeed(t, "restore", "file://"+to, "--to", back)
	sameDir(t, back, dir)

	const two = 38 + 2*(14+50_000) // a database that starts keeps the whole entries before the damage
	if err := writeLog(newest, sound[:two]); err != nil {
		t.Fatal(err)
	}
	s.until("the repair to be shown", func() bool { return s.archive("orders").State == "ok" })
	s.until("the second notification", func() bool { return len(sent()) == 2 })
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}
