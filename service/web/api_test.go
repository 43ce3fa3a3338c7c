package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func decode(t *testing.T, body string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}

func TestAPIArchives(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	f.archives = append(f.archives, states()[StateEmpty])
	var v apiArchives
	decode(t, get(t, newServer(t, f, ""), "/api/v1/archives"), &v)
	if len(v.Archives) != 2 || v.Version != "1.2.3" || !v.Now.Equal(noon) {
		t.Fatalf("%+v", v)
	}
	a := v.Archives[0]
	if a.Name != "orders" || a.State != "ok" || a.Total.Bytes != 21<<30 || a.Last.DurationMS != 1900 ||
		a.RecoverableThrough.File != "00000c1f.jdb" || a.ProviderRequests["put"] != 2290 || a.LastVerification.Objects != 1840 {
		t.Errorf("%+v", a)
	}
	body := get(t, newServer(t, f, ""), "/api/v1/archives")
	for _, want := range []string{`"last_success":"2026-11-22T12:15:30Z"`, `"last_success":null`, `"recoverable_through":null`, `"damaged":[]`, `"provider_errors":{}`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
}

func TestAPIArchive(t *testing.T) {
	t.Parallel()
	for state, a := range states() {
		var v apiArchiveHistory
		decode(t, get(t, newServer(t, filled(a), ""), "/api/v1/archives/orders"), &v)
		if v.State != string(state) || len(v.History) != len(a.History) {
			t.Errorf("%s is shown as %s, with %d of %d runs", state, v.State, len(v.History), len(a.History))
		}
	}
}

func TestAPISnapshotsArePaged(t *testing.T) {
	t.Parallel()
	s := newServer(t, filled(well("orders")), "")
	var got []int64
	target := "/api/v1/archives/orders/snapshots?limit=50"
	for pages := 0; ; pages++ {
		var v apiSnapshots
		decode(t, get(t, s, target), &v)
		var these []int64
		for _, one := range v.Snapshots {
			these = append(these, one.Sequence)
		}
		got = append(these, got...)
		if v.NextBefore == nil {
			break
		}
		if pages == 5 {
			t.Fatal("it does not end")
		}
		target = "/api/v1/archives/orders/snapshots?limit=50&before=" + strconv.FormatInt(*v.NextBefore, 10)
	}
	if len(got) != 120 {
		t.Fatalf("%d of 120 snapshots", len(got))
	}
	for i, n := range got {
		if n != int64(i+1) {
			t.Fatalf("%d is in place %d", n, i)
		}
	}
}

func TestAPIFilesArePaged(t *testing.T) {
	t.Parallel()
	s := newServer(t, filled(well("orders")), "")
	var all, some apiSnapshotFiles
	decode(t, get(t, s, "/api/v1/archives/orders/snapshots/120"), &all)
	if len(all.List) != 1200 || all.NextOffset != nil || all.Sequence != 120 || all.List[3].Name != hostile {
		t.Errorf("%d files, next %v, snapshot %d", len(all.List), all.NextOffset, all.Sequence)
	}
	decode(t, get(t, s, "/api/v1/archives/orders/snapshots/120?offset=1000&limit=100"), &some)
	if len(some.List) != 100 || some.NextOffset == nil || *some.NextOffset != 1100 || some.List[0].Name != all.List[1000].Name {
		t.Errorf("%d files, next %v", len(some.List), some.NextOffset)
	}
}

func TestAPIErrors(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	s := newServer(t, f, "")
	for target, want := range map[string]int{
		"/api/v1/archives/none":                                                404,
		"/api/v1/archives/none/snapshots":                                      404,
		"/api/v1/archives/orders/snapshots/999":                                404,
		"/api/v1/archives/orders/snapshots/x":                                  404,
		"/api/v1/archives/orders/snapshots/99999999999999999999":               404,
		"/api/v1/archives/orders/snapshots?limit=0":                            400,
		"/api/v1/archives/orders/snapshots?limit=1001":                         400,
		"/api/v1/archives/orders/snapshots?before=-1":                          400,
		"/api/v1/archives/orders/snapshots/120?offset=-1":                      400,
		"/api/v1/archives/orders/snapshots/120?limit=x":                        400,
		"/api/v1/nothing":                                                      404,
		"/api/v1/archives/" + url.PathEscape("../../etc/passwd"):               404,
		"/api/v1/archives/" + url.PathEscape(hostile):                          404,
		"/api/v1/archives/orders/snapshots?before=" + url.QueryEscape(hostile): 400,
	} {
		w := ask(t, s, http.MethodGet, target, "")
		var e apiError
		decode(t, w.Body.String(), &e)
		if w.Code != want || e.Error == "" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d, not %d: %s", target, w.Code, want, w.Body)
		}
		if strings.ContainsAny(w.Body.String(), "<\u202e") {
			t.Errorf("%s: the request is unescaped in %s", target, w.Body)
		}
	}
	f.err = errors.New("listing s3://backups: 403; the credentials lack s3:ListBucket")
	w := ask(t, s, http.MethodGet, "/api/v1/archives/orders/snapshots", "")
	if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "s3:ListBucket") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

func TestAPIBackup(t *testing.T) {
	t.Parallel()
	const path = "/api/v1/archives/orders/backup"
	f := filled(well("orders"))
	open, closed := newServer(t, f, token), newServer(t, f, "")
	for _, c := range []struct {
		s        *Server
		header   string
		code     int
		wantText string
	}{
		{closed, "", 403, "read-only"},
		{closed, "Bearer ", 403, "read-only"},
		{open, "", 401, "token"},
		{open, "Bearer", 401, "token"},
		{open, "Bearer " + token + "x", 401, "token"},
		{open, "Bearer " + token[1:], 401, "token"},
		{open, "Basic " + token, 401, "token"},
	} {
		w := ask(t, c.s, http.MethodPost, path, "", "Authorization", c.header)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.wantText) {
			t.Errorf("%q: %d %s", c.header, w.Code, w.Body)
		}
		if challenge := w.Header().Get("WWW-Authenticate"); (c.code == 401) != (challenge != "") {
			t.Errorf("%q: the challenge is %q", c.header, challenge)
		}
	}
	if len(f.runs()) != 0 {
		t.Fatalf("runs were started: %v", f.runs())
	}
	w := ask(t, open, http.MethodPost, path, "", "Authorization", "Bearer "+token)
	var v apiAccepted
	decode(t, w.Body.String(), &v)
	if w.Code != http.StatusAccepted || v.RunID != "run-1" || len(f.runs()) != 1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(t, open, http.MethodPost, "/api/v1/archives/none/backup", "", "Authorization", "Bearer "+token); w.Code != http.StatusNotFound {
		t.Errorf("of no archive: %d %s", w.Code, w.Body)
	}
	f.busy = true
	if w := ask(t, open, http.MethodPost, path, "", "Authorization", "bearer "+token); w.Code != http.StatusConflict {
		t.Errorf("busy: %d %s", w.Code, w.Body)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	s := newServer(t, f, "")
	if got := get(t, s, "/healthz"); got != "ok\n" {
		t.Errorf("healthz answers %q", got)
	}
	for state, a := range states() {
		f.set(a)
		w := ask(t, s, http.MethodGet, "/readyz", "")
		want := http.StatusOK
		if state == StateFailing || state == StateOverdue || state == StateEmpty {
			want = http.StatusServiceUnavailable
		}
		if w.Code != want || (want != http.StatusOK) != strings.HasPrefix(w.Body.String(), "orders: ") {
			t.Errorf("%s: %d %s", state, w.Code, w.Body)
		}
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for state, want := range map[State]string{
		StateOK:      "Recoverable through 12:15, 4 minutes ago; next snapshot in 11 minutes.",
		StateRunning: "Recoverable through 12:15, 4 minutes ago; a run began 1 minute ago, and another waits for it to end.",
		StateFailing: "Recoverable through 12:15, 4 minutes ago; the last 3 runs failed; next attempt in less than a minute.",
		StateOverdue: "Recoverable through 21 Nov 2026, 10:19, 26 hours ago; a snapshot is overdue; next snapshot in less than a minute.",
		StateDamaged: "Recoverable through 12:15, 4 minutes ago, but 2 files in it cannot be trusted; the last prune could not be done; next snapshot in 11 minutes.",
		StateEmpty:   "Nothing can be restored yet; first snapshot in 3 minutes.",
	} {
		a := states()[state]
		if got := a.sentence(noon); got != want {
			t.Errorf("%s: %s\nnot: %s", state, got, want)
		}
	}
	a := well("orders")
	a.Tasks = []Task{{Name: "verify", FailuresInRow: 2}, {Name: "prune"}, {Name: "drill", FailuresInRow: 1}}
	if got := a.sentence(noon); !strings.Contains(got, "; the last verification could not be done; the last test restore could not be done; next snapshot") || a.State() != StateOK {
		t.Errorf("%s: %s", a.State(), got)
	}
	a.Tasks = nil
	a.NextRun = time.Time{}
	for schedule, want := range map[string]string{
		"":       "; no schedule: snapshots are made on demand only.",
		"@close": "; next snapshot when a log file closes.",
		"@daily": "; no snapshot is scheduled.",
	} {
		a.Schedule = schedule
		if got := a.sentence(noon); !strings.HasSuffix(got, want) {
			t.Errorf("%q: %s", schedule, got)
		}
	}
}
