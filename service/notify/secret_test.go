package notify

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/redact"
)

// hushed are targets with the parts of them that are secret.
var hushed = []struct {
	target string
	shown  string
	secret []string
}{
	{"https://HOST/ping/5f0b-hush-1", "https://HOST/…", []string{"5f0b", "hush"}},
	{"webhook+https://user:hushpass@HOST/hushpath?token=hush%20value", "webhook+https://HOST/…", []string{"hush", "user"}},
	{"slack://hook:TAAAAHUSH-BBBBBHUSH-123456789123456789hush777@webhook", "slack://…", []string{"HUSH", "hush", "12345678"}},
	{"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDhush@telegram?chats=@hushchat", "telegram://…", []string{"110201543", "hush", "AAHdq"}},
	{"discord://hushhushtoken@123456789", "discord://…", []string{"hush", "123456789"}},
	{"smtp://hushuser:hush%2Fpass@HOST/?from=hush-a@x.org&to=hush-b@x.org&starttls=no", "smtp://HOST/…", []string{"hush"}},
	{"gotify://HOST/Ahushhushhush.D", "gotify://HOST/…", []string{"hush"}},
	{"ntfy://hushuser:hushpass@HOST/hushtopic", "ntfy://HOST/…", []string{"hush"}},
	{"generic+https://HOST/hushpath?template=json&@Authorization=hushtoken", "generic+https://HOST/…", []string{"hush"}},
	{"pushover://shoutrrr:hushtoken@hushuser/?devices=hushphone", "pushover://…", []string{"hush"}},
	{"mattermost://HOST/hushhushtoken", "mattermost://HOST/…", []string{"hush"}},
	{"rocketchat://HOST/hushtokena/hushtokenb/hushchannel", "rocketchat://HOST/…", []string{"hush"}},
}

// hosts of targets are a free address: nothing listens there.
const closedPort = "127.0.0.1:9"

func assertHushed(t *testing.T, text string, secret []string) {
	t.Helper()
	for _, s := range secret {
		if strings.Contains(strings.ToLower(text), strings.ToLower(s)) {
			t.Errorf("%q shows %q", text, s)
		}
	}
}

// away answers every request with an error that quotes the whole request.
type away struct{}

func (away) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, errors.New("cannot reach " + r.URL.String() + " as " + r.URL.User.String() + " by " + r.URL.RawQuery + " at " + r.URL.Path)
}

// Each target fails for real, or as near to it as is possible on this machine: the library's
// services with fixed hosts get an error with the whole target in it.
func TestFailuresShowNoSecrets(t *testing.T) {
	t.Parallel()
	for _, h := range hushed {
		target := strings.ReplaceAll(h.target, "HOST", closedPort)
		if got, want := redact.Target(target), strings.ReplaceAll(h.shown, "HOST", closedPort); got != want {
			t.Errorf("redact.Target gives %q, not %q", got, want)
		}
		log := &logbook{}
		n := made(t, away{}, log, target)
		c := n.deliverers[0]
		if strings.Contains(target, closedPort) {
			c.attempt(t.Context(), t.Context(), message{Event: Event{State: Failing}})
			if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "could not be delivered") {
				t.Errorf("%s: the log has %q", h.shown, got)
			}
		}
		assertHushed(t, log.String(), h.secret)
		for key := range n.Export() {
			assertHushed(t, key, h.secret)
		}
	}
}

func TestQuotedTargetsAreScrubbed(t *testing.T) {
	t.Parallel()
	for _, h := range hushed {
		target := strings.ReplaceAll(h.target, "HOST", closedPort)
		u := parsed(t, target)
		for _, s := range []string{target, u.Opaque, u.User.String(), u.Path, u.RawPath, u.RawQuery, u.User.Username(), u.Query().Encode()} {
			assertHushed(t, scrub("sending to "+s+" failed", secrets(target, u)), h.secret)
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"hush.example.org/ping":              "notify target 1, (no URL): it has no scheme",
		"https://u:hush%zz@host/hush":        "notify target 1, (no URL): it is not a URL",
		"https:///hush":                      "it has no host",
		"webhook+ftp://host/hush":            "webhook+https://",
		"gopher+x://hush/hush":               "no service has this scheme",
		"logger://hush":                      "no service has this scheme",
		"https://hooks.slack.com/hush/hush":  "slack://",
		"https://discord.com/api/hush/hush":  "discord://",
		"slack://hush":                       "slack://…: the service slack rejects it",
		"telegram://hush@telegram?chats=1":   "telegram://…: the service telegram rejects it",
		"smtp://u:hush@mail.example.org/":    "smtp://mail.example.org/…: the service smtp rejects it",
		"discord+https://hush:hush@hush/hus": "discord",
		"ntfy://ntfy.sh/t?hush=hush":         "the service ntfy rejects it",
		"":                                   "(no URL)",
	} {
		_, err := New([]string{target}, Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, without %q", target, err, want)
			continue
		}
		assertHushed(t, err.Error(), []string{"hush"})
	}
	_, err := New([]string{"https://a.b/hush", "x:hush", "https://a.b/hush"}, Options{})
	if err == nil || !strings.Contains(err.Error(), "target 2, ") || !strings.Contains(err.Error(), "target 3, https://a.b/…: it is listed twice") {
		t.Errorf("of several mistakes not all are named: %v", err)
	}
}

// The example of the configuration's description, with dots filled in.
func TestConfiguredExample(t *testing.T) {
	t.Parallel()
	n := made(t, away{}, &logbook{}, "https://hc.example.org/ping/5f0b", "slack://hook:TAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook")
	if len(n.beats) != 1 || len(n.states) != 1 {
		t.Errorf("%d heartbeats and %d others", len(n.beats), len(n.states))
	}
}
