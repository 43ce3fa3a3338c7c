package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Another site's page sends what the form here would send, with the right token; and a name
// of another site's is pointed at the service. Neither gets anywhere.
func TestBrowserOtherSites(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	f := filled(well("orders"))
	srv := httptest.NewServer(newServer(t, f, token).Handler())
	defer srv.Close()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><form method="post" action="%s/archives/orders/backup"><input name="token" value="%s"></form><script>document.forms[0].submit()</script>`, srv.URL, token)
	}))
	defer other.Close()
	do(t, b, chromedp.Navigate(strings.Replace(other.URL, "127.0.0.1", "localhost", 1)))
	settle(t, b, `document.querySelector("h1")?.textContent.startsWith("403") && document.body.textContent.includes("another site")`)
	do(t, b, chromedp.Navigate(strings.Replace(srv.URL, "127.0.0.1", "rebound.example", 1)+"/archives/orders"))
	settle(t, b, `document.querySelector("h1")?.textContent.startsWith("421") && !document.body.textContent.includes("s3://")`)
	if runs := f.runs(); len(runs) != 0 {
		t.Errorf("runs: %q", runs)
	}
}

// On an archive's page, too: the command is that of the newest snapshot, an opened element stays
// open, and a focused button keeps the focus.
func TestBrowserLooksAgainAtAnArchive(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	f := &estimating{fake: filled(well("orders")), estimate: RestoreEstimate{
		Snapshot: 121, Bytes: 1 << 30, Requests: 7, Time: "It takes a while", Price: "It costs about 1.00 USD",
	}}
	srv := httptest.NewServer(newServer(t, f, token).Handler())
	defer srv.Close()
	do(t, b, chromedp.Navigate(srv.URL+"/archives/orders?asked=started"))
	settle(t, b, `document.getElementById("estimate") === null`)
	value(t, b, chromedp.Evaluate[bool](`document.querySelector("details").open = true`))
	tabTo(t, b, ".copy")
	f.mu.Lock()
	f.isKnown = true // the service has made the estimate since
	f.snapshots = append(slices.Clone(f.snapshots), Snapshot{Sequence: 121, Created: noon, Files: 1, State: "ok"})
	f.mu.Unlock()
	value(t, b, chromedp.Evaluate[bool](`look().then(() => true)`, chromedp.EvalAwaitPromise))
	settle(t, b, `document.getElementById("restore-command").textContent.includes("orders@121 ") && document.querySelector("tbody a").textContent === "121"`)
	settle(t, b, `document.getElementById("estimate").textContent.endsWith("snapshot 121 reads 1.0 GiB with 7 requests. It takes a while. It costs about 1.00 USD.")`)
	settle(t, b, `document.activeElement.matches(".copy") && document.querySelector("details").open && location.search === ""`)
	value(t, b, chromedp.Evaluate[bool](`navigator.clipboard.writeText = async (text) => { window.copied = text }; true`))
	do(t, b, chromedp.KeyEvent(kb.Enter))
	settle(t, b, `window.copied === "strongroom restore orders@121 --to ./restored"`)
	b.check(t)
}
