package web

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

const rollback = "rollback:41-0a1b2c3d"

// A confirmation lifts a guard that protects the archive. So only the holder of the token gives
// one, for an archive that waits for exactly this one, and every other request accepts nothing.
func TestAPIConfirm(t *testing.T) {
	t.Parallel()
	const path, good = "/api/v1/archives/orders/confirm", `{"confirmation": "` + rollback + `"}`
	f := filled(refused("orders"))
	open, closed := newServer(t, f, token), newServer(t, f, "")
	for _, c := range []struct {
		what     string
		s        *Server
		path     string
		body     string
		header   string
		code     int
		wantText string
	}{
		{"a service without a token", closed, path, good, "Bearer " + token, 403, "read-only"},
		{"no token", open, path, good, "", 401, "token"},
		{"a wrong token", open, path, good, "Bearer " + token + "x", 401, "token"},
		{"a wrong token and no JSON", open, path, "x", "Bearer x", 401, "token"},
		{"a token in the address", open, path + "?token=" + token, good, "", 401, "token"},
		{"no body", open, path, "", "Bearer " + token, 400, "JSON"},
		{"no JSON", open, path, rollback, "Bearer " + token, 400, "JSON"},
		{"no object", open, path, `"` + rollback + `"`, "Bearer " + token, 400, "JSON"},
		{"another field", open, path, `{"confirmation": "` + rollback + `", "force": true}`, "Bearer " + token, 400, "JSON"},
		{"an empty one", open, path, `{"confirmation": ""}`, "Bearer " + token, 400, "JSON"},
		{"a list", open, path, `{"confirmation": ["` + rollback + `"]}`, "Bearer " + token, 400, "JSON"},
		{"more after it", open, path, good + good, "Bearer " + token, 400, "JSON"},
		{"no confirmation", open, path, `{"confirmation": "accept all"}`, "Bearer " + token, 400, "not a confirmation"},
		{"no such archive", open, "/api/v1/archives/none/confirm", good, "Bearer " + token, 404, "no such archive"},
		{"another state of the archive", open, path, `{"confirmation": "rollback:42-0a1b2c3d"}`, "Bearer " + token, 409, "nothing waits"},
		{"another guard", open, path, `{"confirmation": "take-over:41-0a1b2c3d"}`, "Bearer " + token, 409, "nothing waits"},
	} {
		w := ask(t, c.s, http.MethodPost, c.path, c.body, "Authorization", c.header)
		kind := w.Header().Get("Content-Type")
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.wantText) || kind != "application/json" {
			t.Errorf("%s: %d %s", c.what, w.Code, w.Body)
		}
		if challenge := w.Header().Get("WWW-Authenticate"); (c.code == 401) != (challenge != "") {
			t.Errorf("%s: the challenge is %q", c.what, challenge)
		}
	}
	if got := f.confirmations(); len(got) != 0 {
		t.Fatalf("accepted was %v", got)
	}
	w := ask(t, open, http.MethodPost, path, good, "Authorization", "Bearer "+token, "Content-Type", "application/json")
	var v apiAccepted
	decode(t, w.Body.String(), &v)
	got := f.confirmations()
	if w.Code != http.StatusAccepted || v.RunID != "run-1" || !slices.Equal(got, []string{"orders " + rollback}) {
		t.Errorf("%d %s, accepted %v", w.Code, w.Body, got)
	}
}

// An operator finds the finding of a guard, the meaning of accepting it and the way to do it
// wherever the archive is shown.
func TestConfirmationsAreShown(t *testing.T) {
	t.Parallel()
	f := filled(refused("orders"))
	s := newServer(t, f, token)
	checkTexts(t, get(t, s, "/"), []string{
		"a confirmation is needed", "The backup needs a confirmation.", "The prune needs a confirmation.",
		`href="/archives/orders#rollback-41-0a1b2c3d"`,
	}, []string{"<script>"})
	checkTexts(t, get(t, s, "/archives/orders"), []string{
		"“rollback”", "the source ends with 00000c1b.jdb", "if the database was restored to an earlier state on purpose",
		`action="/archives/orders/confirm"`, `value="` + rollback + `"`, "Accept " + rollback + ", once",
		"<code>strongroom confirm orders " + rollback + "</code>", `value="prune:41-77e1f00d"`,
	}, []string{"<script>alert"})
	checkTexts(t, get(t, newServer(t, f, ""), "/archives/orders"), []string{
		"Set <code>http.token_file</code>", "<code>strongroom backup --confirm " + rollback + " orders</code>",
		"<code>strongroom prune --confirm prune:41-77e1f00d orders</code>",
	}, []string{"<form method=\"post\""})
	var v apiArchiveHistory
	decode(t, get(t, s, "/api/v1/archives/orders"), &v)
	want := apiConfirmation{
		Confirmation: rollback, Guard: "rollback", Task: "backup",
		Detail: f.archives[0].NeedsConfirmation[0].Detail, Since: jsonTime(noon.Add(-time.Hour)),
	}
	if n := v.NeedsConfirmation; len(n) != 2 || !reflect.DeepEqual(n[0], want) || n[1].Task != "prune" {
		t.Errorf("%+v", n)
	}
	metric := func(n string) {
		t.Helper()
		const name = "strongroom_confirmation_needed"
		want := "# HELP " + name + " Refusals by guards that wait for an operator to accept the finding.\n" +
			"# TYPE " + name + " gauge\n" + name + "{archive=\"orders\"} " + n + "\n"
		if err := testutil.GatherAndCompare(s.registry(), strings.NewReader(want), name); err != nil {
			t.Error(err)
		}
	}
	metric("2")

	accepted := refused("orders")
	accepted.NeedsConfirmation[0].Confirmed = noon
	f.set(accepted)
	metric("1")
	checkTexts(t, get(t, s, "/archives/orders"),
		[]string{"An operator accepted it at 22 Nov 2026, 12:19:30 UTC, once."}, []string{`value="` + rollback + `"`})
	checkTexts(t, get(t, s, "/"),
		[]string{"The backup was refused, and an operator has accepted the reason."}, []string{"The backup needs"})

	f.set(well("orders"))
	metric("0")
	checkTexts(t, get(t, s, "/api/v1/archives/orders"), []string{`"needs_confirmation":[]`}, nil)
	checkTexts(t, get(t, s, "/archives/orders"), nil, []string{"confirmation is needed", "/confirm"})
}

// A guard unknown to this page is shown all the same.
func TestAcceptingAnyGuard(t *testing.T) {
	t.Parallel()
	if got := Accepting("moon"); !strings.Contains(got, "only if") {
		t.Error(got)
	}
}

// The form of the page works without JavaScript and requires the token each time.
func TestConfirmForm(t *testing.T) {
	t.Parallel()
	f := filled(refused("orders"))
	s := newServer(t, f, token)
	const path, form = "/archives/orders/confirm", "application/x-www-form-urlencoded"
	post := func(s *Server, token, confirmation string) (code int, page, to string) {
		t.Helper()
		body := url.Values{"token": {token}, "confirmation": {confirmation}}.Encode()
		w := ask(t, s, http.MethodPost, path, body, "Content-Type", form)
		return w.Code, w.Body.String(), w.Header().Get("Location")
	}
	for _, c := range []struct {
		s                             *Server
		token, confirmation, wantText string
		code                          int
	}{
		{s, "wrong", rollback, "the token is missing or wrong", 401},
		{s, "", "", "the token is missing or wrong", 401},
		{newServer(t, f, ""), "", rollback, "read-only", 403},
		{s, token, "rollback:40-0a1b2c3d", "nothing waits for this confirmation", 409},
		{s, token, "accept all", "not a confirmation", 400},
		{s, token, "", "nothing waits for this confirmation", 409},
	} {
		code, page, _ := post(c.s, c.token, c.confirmation)
		alert := strings.Contains(page, `role="alert" class="note failing answer" id="not-taken"`)
		if code != c.code || !strings.Contains(page, c.wantText) || !alert {
			t.Errorf("%q with token %q: %d, or without %q", c.confirmation, c.token, code, c.wantText)
		}
	}
	// In the address a token would be kept in histories and logs.
	w := ask(t, s, http.MethodPost, path+"?token="+token+"&confirmation="+rollback, "")
	if w.Code != http.StatusUnauthorized {
		t.Errorf("a token in the address: %d", w.Code)
	}
	w = ask(t, s, http.MethodPost, "/archives/none/confirm", "token="+token, "Content-Type", form)
	if w.Code != http.StatusNotFound {
		t.Errorf("of no archive: %d", w.Code)
	}
	if got := f.confirmations(); len(got) != 0 {
		t.Fatalf("accepted was %v", got)
	}
	code, _, to := post(s, token, rollback)
	got := f.confirmations()
	if code != http.StatusSeeOther || to != "/archives/orders?asked=confirmed" || !slices.Equal(got, []string{"orders " + rollback}) {
		t.Errorf("%d, to %s, accepted %v", code, to, got)
	}
	checkTexts(t, get(t, s, to), []string{"The finding was accepted, once."}, nil)
}
