package web

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A finding that waits for a confirmation can be read and used on a telephone and on a desk, in
// both colour schemes, and by axe's rules.
func TestBrowserConfirmations(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	accepted := refused("orders")
	accepted.NeedsConfirmation[0].Confirmed = noon
	browse := func(what, path string, s *Server, looks ...look) {
		srv := httptest.NewServer(s.Handler())
		defer srv.Close()
		for _, l := range looks {
			name := fmt.Sprintf("confirm-%s-%d-%s", what, l.width, l.scheme)
			t.Run(name, func(t *testing.T) {
				do(t, b, view(l), chromedp.Navigate(srv.URL+path))
				b.check(t)
				b.shot(t, name)
			})
		}
	}
	waiting := filled(refused("orders"))
	browse("card", "/", newServer(t, waiting, token), looks(0)...)
	browse("page", "/archives/orders", newServer(t, waiting, token), looks(1)...)
	browse("tokenless", "/archives/orders", newServer(t, waiting, ""), look{360, "light"})
	browse("accepted", "/archives/orders", newServer(t, filled(accepted), token), look{360, "dark"})
}

// An operator reaches the form with the keyboard, also without JavaScript. A wrong token is refused
// where it was typed, and the right one accepts the finding above it and nothing else.
func TestBrowserConfirms(t *testing.T) {
	t.Parallel()
	for _, scripts := range []bool{true, false} {
		b := newBrowser(t)
		f := filled(refused("orders"))
		srv := httptest.NewServer(newServer(t, f, token).Handler())
		defer srv.Close()
		do(
			t, b, protocol(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}),
			chromedp.Navigate(srv.URL+"/"),
		)
		tabTo(t, b, `a[href$="#prune-41-77e1f00d"]`)
		do(t, b, chromedp.KeyEvent(kb.Enter))
		settle(t, b, `location.hash === "#prune-41-77e1f00d"`)
		const field = "#prune-41-77e1f00d-token"
		tabTo(t, b, field)
		do(t, b, chromedp.KeyEvent("not the token"))
		tabTo(t, b, "button[type=submit]")
		do(t, b, chromedp.KeyEvent(kb.Enter))
		settle(t, b, `document.querySelector("[role=alert]")?.textContent.includes("token") ?? false`)
		b.shot(t, "confirm-refused")
		b.output() // Chromium reports the 401
		if scripts {
			b.check(t)
		}
		if got := f.confirmations(); len(got) != 0 {
			t.Errorf("accepted without the token: %v", got)
		}
		tabTo(t, b, field)
		do(t, b, chromedp.KeyEvent(token), chromedp.KeyEvent(kb.Enter))
		settle(t, b, `document.querySelector("[role=status].answer")?.textContent.includes("accepted") ?? false`)
		if got := f.confirmations(); !slices.Equal(got, []string{"orders prune:41-77e1f00d"}) || len(f.runs()) != 0 {
			t.Errorf("accepted: %v; runs: %v", got, f.runs())
		}
		if at := value(t, b, chromedp.Location()); strings.Contains(at, token) {
			t.Errorf("the token is in the address %s", at)
		}
		if scripts {
			b.check(t)
		}
	}
}

// The page reads itself again while a token is typed. The form never becomes that of another
// confirmation below the hands of the operator.
func TestBrowserConfirmationChangesWhileTyping(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	f := filled(refused("orders"))
	srv := httptest.NewServer(newServer(t, f, token).Handler())
	defer srv.Close()
	do(t, b, chromedp.Navigate(srv.URL+"/archives/orders"))
	tabTo(t, b, "#rollback-41-0a1b2c3d-token")
	do(t, b, chromedp.KeyEvent(token))
	again := func() { value(t, b, chromedp.Evaluate[bool](`look().then(() => true)`, chromedp.EvalAwaitPromise)) }
	again()
	settle(t, b, fmt.Sprintf(`document.activeElement.value === %q`, token))
	next := refused("orders")
	next.NeedsConfirmation[0].Confirmation = "rollback:42-99999999"
	f.set(next)
	again()
	settle(t, b, `document.getElementById("rollback-42-99999999-token")?.value === "" `+
		`&& !document.getElementById("rollback-41-0a1b2c3d")`)
	f.set(well("orders"))
	again()
	settle(t, b, `document.querySelectorAll("#confirm form").length === 0`)
	b.check(t)
}
