package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// What an operator can do on the host without the page, a program can do with the token, and nothing without it.
func TestActionsOverHTTP(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	s := newServer(t, f, token)
	const path = "/api/v1/archives/orders/"
	for _, action := range []string{"backup", "verify", "drill", "prune", "pause", "resume"} {
		for _, authorization := range []string{"", "Bearer wrong", "Basic " + token, "Bearer " + token + "x"} {
			if w := ask(t, s, http.MethodPost, path+action, "", "Authorization", authorization); w.Code != http.StatusUnauthorized {
				t.Errorf("%s with %q: %d", action, authorization, w.Code)
			}
		}
		if w := ask(t, newServer(t, f, ""), http.MethodPost, path+action, "", "Authorization", "Bearer "); w.Code != http.StatusForbidden {
			t.Errorf("%s of a service without a token: %d", action, w.Code)
		}
	}
	if len(f.runs()) != 0 || len(f.pauses) != 0 {
		t.Fatalf("without the token: %v, %v", f.runs(), f.pauses)
	}
	for _, c := range []struct {
		action, body string
		code         int
		text         string
	}{
		{"verify", "", 202, `"run_id":"run-1"`},
		{"drill", "", 202, `"run_id":"run-2"`},
		{"prune", "", 202, `"run_id":"run-3"`},
		{"pause", "", 200, `"by":"the API"`},
		{"pause", `{"reason": "<disk>", "by": "alice"}`, 200, `"by":"alice","reason":"\u003cdisk\u003e"`},
		{"pause", `{"reason": "` + strings.Repeat("x", 201) + `"}`, 400, "at most 200 bytes"},
		{"pause", `{"why": "x"}`, 400, "must be empty, or JSON"},
		{"pause", `{} {}`, 400, "must be empty, or JSON"},
		{"resume", "", 200, `{"paused":null}`},
	} {
		w := ask(t, s, http.MethodPost, path+c.action, c.body, "Authorization", "Bearer "+token)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.text) {
			t.Errorf("%s %s: %d %s", c.action, c.body, w.Code, w.Body)
		}
	}
	if want := []string{"verify orders", "drill orders", "prune orders"}; !slices.Equal(f.runs(), want) {
		t.Errorf("runs %q", f.runs())
	}
	if want := []Pause{{noon, "the API", ""}, {noon, "alice", "<disk>"}, {}}; !slices.Equal(f.pauses, want) {
		t.Errorf("pauses %+v", f.pauses)
	}
	if w := ask(t, s, http.MethodPost, "/api/v1/archives/none/pause", "", "Authorization", "Bearer "+token); w.Code != http.StatusNotFound {
		t.Errorf("an archive that does not exist: %d", w.Code)
	}
}

// A paused archive is not healthy, wherever its state is shown; and its page has one button, which ends that.
func TestPausedIsShown(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.Paused = Pause{noon.Add(-2 * 3600e9), "the status page", "the disk of " + hostile}
	f := filled(a)
	f.archives = append(f.archives, well("users"))
	s := newServer(t, f, token)
	const shown = "10:19 UTC by the status page: the disk of &lt;script&gt;"
	checkTexts(t, get(t, s, "/"), []string{"1 of 2 archives needs attention", shown, "no run begins before it is resumed"}, nil)
	checkTexts(t, get(t, s, "/archives/orders"), []string{shown, `action="/archives/orders/resume"`, ">Resume<"}, []string{"formaction", "Make a snapshot"})
	checkTexts(t, get(t, s, "/archives/users"), []string{`formaction="/archives/users/verify"`, `<form method="post" action="/archives/users/pause">`}, []string{">Resume<"})
	checkTexts(t, get(t, s, "/metrics"), []string{
		`strongroom_archive_paused{archive="orders"} 1`, `strongroom_archive_paused{archive="users"} 0`,
		`strongroom_archive_paused_since_timestamp_seconds{archive="orders"}`,
	}, []string{`paused_since_timestamp_seconds{archive="users"}`})
	checkTexts(t, get(t, s, "/api/v1/archives"), []string{`"state":"paused"`, `"paused":{"since":"2026-11-22T10:19:30Z","by":"the status page"`, `"paused":null`}, nil)
	if w := ask(t, s, http.MethodGet, "/readyz", ""); w.Code != 503 || !strings.HasPrefix(w.Body.String(), "orders: paused since 10:19 UTC by the status page: ") {
		t.Errorf("/readyz: %d %s", w.Code, w.Body)
	}
	if w := ask(t, s, http.MethodGet, "/healthz", ""); w.Code != 200 {
		t.Errorf("/healthz: %d: the process is running", w.Code)
	}

	// Without a token nothing on the page can resume it, so the page states what can.
	const without = "delete <code>service/orders+paused.json</code> in its state directory"
	checkTexts(t, get(t, newServer(t, f, ""), "/archives/orders"), []string{shown, "cannot resume the archive", without}, []string{">Resume<"})
	checkTexts(t, get(t, newServer(t, f, ""), "/archives/users"), nil, []string{without})
	checkTexts(t, get(t, s, "/archives/orders"), nil, []string{without})
}

// The form of the page does the same as the API, for a person.
func TestActionsOnThePage(t *testing.T) {
	t.Parallel()
	drilled := well("orders")
	drilled.Tasks = append(slices.Clone(drilled.Tasks), Task{Name: TaskDrill})
	f := filled(drilled)
	s := newServer(t, f, token)
	const form = "application/x-www-form-urlencoded"
	for _, one := range [][2]string{
		{"verify", "A verification was requested"},
		{"drill", "A test restore was requested"},
		{"prune", "A prune was requested"},
		{"pause", "no run begins until it is resumed"},
		{"resume", "The archive is resumed"},
	} {
		action, said := one[0], one[1]
		w := ask(t, s, http.MethodPost, "/archives/orders/"+action, "token="+token+"&reason=+a+disk+", "Content-Type", form)
		if w.Code != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", action, w.Code, w.Body)
		}
		if page := get(t, s, w.Header().Get("Location")); !strings.Contains(page, said) {
			t.Errorf("after %s the page does not have %q", action, said)
		}
	}
	if !slices.Contains(f.pauses, Pause{noon, "the status page", "a disk"}) || len(f.runs()) != 3 {
		t.Errorf("pauses %+v, runs %v", f.pauses, f.runs())
	}
	// An address states nothing that is not true: it may be an old one, or from others.
	const paused, resumed, begins = "no run begins until it is resumed", "The archive is resumed", "begins.</p>"
	const address = "/archives/orders?asked="
	checkTexts(t, get(t, s, address+"paused"), nil, []string{paused, resumed})
	checkTexts(t, get(t, s, address+"resumed"), []string{resumed}, nil)
	a := well("orders")
	a.Paused = Pause{Since: noon}
	f.set(a)
	checkTexts(t, get(t, s, address+"paused"), []string{paused}, nil)
	for _, asked := range []string{"resumed", "backup", "verify", "nothing"} {
		checkTexts(t, get(t, s, address+asked), nil, []string{resumed, begins, `class="note ok`})
	}
	a = well("orders")
	a.Tasks = nil
	f.set(a)
	checkTexts(t, get(t, s, address+"prune"), nil, []string{begins})
	checkTexts(t, get(t, s, address+"backup"), []string{begins}, nil)
	w := ask(t, s, http.MethodPost, "/archives/orders/pause", "token="+token+"&reason="+strings.Repeat("x", 300), "Content-Type", form)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "at most 200 bytes") {
		t.Errorf("a long reason: %d", w.Code)
	}
}

// A refused pause leaves the form as it was, except for the token: the text may have been long to write.
func TestRefusedPauseKeepsTheReason(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	s := newServer(t, f, token)
	post := func(task, token, reason string) string {
		t.Helper()
		body := url.Values{"token": {token}, "reason": {reason}}.Encode()
		w := ask(t, s, http.MethodPost, "/archives/orders/"+task, body, "Content-Type", "application/x-www-form-urlencoded")
		if w.Code == http.StatusSeeOther {
			t.Errorf("%.20q was accepted", reason)
		}
		return w.Body.String()
	}
	long := strings.Repeat("ö", 101)
	const open = `<details id="pause" open>`
	checkTexts(t, post("pause", token, long), []string{`value="` + long + `"`, open, "reason has 202 bytes", "at most 200 bytes"}, nil)
	checkTexts(t, post("pause", "not the token", `a "disk"`), []string{`value="a &#34;disk&#34;"`, open, `aria-describedby="refused"`}, []string{"not the token"})
	checkTexts(t, post("pause", token, "\xff"), []string{open, "reason is not valid UTF-8"}, []string{"\xff"})
	checkTexts(t, post(TaskBackup, "not the token", "other"), nil, []string{open, "other\""})
	if len(f.pauses) != 0 {
		t.Errorf("pauses: %+v", f.pauses)
	}
}
