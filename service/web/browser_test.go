package web

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
)

// axe finds barriers for people: contrast, names, roles, order. It is run in the page; its licence
// lies beside it.
//
//go:embed testdata/axe/axe.min.js
var axe string

// patience ends the wait for an event that does not come: far beyond the time of any.
const patience = 10 * time.Minute

// browser is a tab in a Chromium, with its console's output.
type browser struct {
	ctx context.Context
	mu  sync.Mutex
	log []string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Chromium")
	}
	if soaktest.Racing {
		t.Skip("checks pages, which the race detector makes slow and not different: run without -race")
	}
	options := append(
		slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP rebound.example 127.0.0.1"), // as the owner of a name can set it
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	b := &browser{}
	b.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(b.listen))
	t.Cleanup(cancel)
	if err := chromedp.Do(b.ctx, protocol(log.Enable, cdp.Empty{})); err != nil {
		t.Fatalf("starting Chromium: %v; install it (on Debian: apt-get install chromium), or leave this test out with -short", err)
	}
	return b
}

// tab returns another tab of the same Chromium, which shares nothing with the others.
func (b *browser) tab(t *testing.T) *browser {
	t.Helper()
	next := &browser{}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(next.listen))
	t.Cleanup(cancel)
	next.ctx = ctx
	if err := chromedp.Do(ctx, protocol(log.Enable, cdp.Empty{})); err != nil {
		t.Fatalf("opening a tab: %v", err)
	}
	return next
}

// listen keeps the console's output.
func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.log = append(b.log, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.log = append(b.log, fmt.Sprint(e.Type, e.Args))
	case *log.EventEntryAdded:
		b.log = append(b.log, e.Entry.Text+" "+e.Entry.URL)
	}
}

// output returns the console's output since the last call.
func (b *browser) output() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := b.log
	b.log = nil
	return lines
}

// protocol is one command of the DevTools protocol.
func protocol[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

func do(t *testing.T, b *browser, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func value[T any](t *testing.T, b *browser, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(b.ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// view sets the window and the colour scheme of the page.
func view(l look) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.EmulateViewport(l.width, 900),
		protocol(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}},
		}),
	)
}

// A look is one way to see a page.
type look struct {
	width  int64 // of the window, in pixels
	scheme string
}

// looks returns how the tests see the n-th page: in each width and in each scheme. Which width has which scheme
// alternates. With STRONGROOM_SHOTS, each page is seen in all four ways.
func looks(n int) []look {
	straight := []look{{360, "light"}, {1280, "dark"}}
	crossed := []look{{360, "dark"}, {1280, "light"}}
	switch {
	case os.Getenv("STRONGROOM_SHOTS") != "":
		return slices.Concat(straight, crossed)
	case n%2 == 0:
		return straight
	}
	return crossed
}

// check checks the open page against axe's rules, for a page that is wider than the window, and for
// any console output.
func (b *browser) check(t *testing.T) {
	t.Helper()
	value(t, b, chromedp.Evaluate[int](axe+";0"))
	list := value(t, b, chromedp.Evaluate[[]string](
		`axe.run({resultTypes: ["violations"]}).then(r => r.violations.map(v => [v.id, v.help, ...v.nodes.map(n => n.html + " " + n.failureSummary)].join("\n")))`, chromedp.EvalAwaitPromise))
	for _, violation := range list {
		t.Errorf("axe: %s", violation)
	}
	if value(t, b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > window.innerWidth`)) {
		t.Error("the page is wider than the window")
	}
	for _, line := range b.output() {
		t.Errorf("the console has: %s", line)
	}
}

// shot keeps a picture below STRONGROOM_SHOTS, for people to view.
func (b *browser) shot(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("STRONGROOM_SHOTS")
	if dir == "" {
		return
	}
	png := value(t, b, chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBrowserEveryState(t *testing.T) {
	t.Parallel()
	chromium := newBrowser(t)
	all := states()
	for i, state := range slices.Sorted(maps.Keys(all)) {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			browseState(t, chromium.tab(t), i, state, all[state])
		})
	}
}

// browseState opens both pages with an archive in the n-th state, in each width and in each scheme.
func browseState(t *testing.T, b *browser, n int, state State, a Archive) {
	f := filled(a)
	for _, name := range []string{hostile, "invoices"} {
		f.archives = append(f.archives, well(name))
	}
	srv := httptest.NewServer(newServer(t, f, token).Handler())
	defer srv.Close()
	for i, page := range []struct{ name, path string }{{"index", "/"}, {"archive", "/archives/orders"}} {
		for _, l := range looks(n + i) {
			name := fmt.Sprintf("%s-%s-%d-%s", page.name, state, l.width, l.scheme)
			t.Run(name, func(t *testing.T) {
				do(t, b, view(l), chromedp.Navigate(srv.URL+page.path))
				b.check(t)
				b.shot(t, name)
				text := value(t, b, chromedp.Text(".card .badge"))
				if want := (&Server{o: Options{Now: func() time.Time { return noon }}}).card("", a).Word; strings.TrimSpace(text) != want {
					t.Errorf("the first badge shows %q, not %q", text, want)
				}
			})
		}
	}
}

func TestBrowserSnapshotAndErrors(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	srv := httptest.NewServer(newServer(t, filled(well("orders")), token).Handler())
	defer srv.Close()
	for _, l := range looks(0) {
		do(t, b, view(l), chromedp.Navigate(srv.URL+"/archives/orders/snapshots/120"))
		b.check(t)
		b.shot(t, fmt.Sprintf("snapshot-%d-%s", l.width, l.scheme))
	}
	none := httptest.NewServer(newServer(t, &fake{}, "").Handler())
	defer none.Close()
	do(t, b, view(look{360, "light"}), chromedp.Navigate(none.URL+"/"))
	b.check(t)
	b.shot(t, "none")
}

// settle waits until an expression is true in the page.
func settle(t *testing.T, b *browser, expression string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still not so after %v: %s (%v)", patience, expression, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// tabTo presses the tab key until an element has the focus, as people without a mouse do.
func tabTo(t *testing.T, b *browser, selector string) {
	t.Helper()
	for range 100 { // also past the end of the page
		do(t, b, chromedp.KeyEvent(kb.Tab))
		if value(t, b, chromedp.Evaluate[bool](fmt.Sprintf(`document.activeElement.matches(%q)`, selector))) {
			if !value(t, b, chromedp.Evaluate[bool](`getComputedStyle(document.activeElement).outlineStyle !== "none"`)) {
				t.Errorf("%s: its focus is not visible", selector)
			}
			return
		}
	}
	t.Fatalf("%s cannot be reached with the tab key", selector)
}

func TestBrowserRunNow(t *testing.T) {
	t.Parallel()
	for _, scripts := range []bool{true, false} {
		b := newBrowser(t)
		f := filled(well(hostile))
		srv := httptest.NewServer(newServer(t, f, token).Handler())
		defer srv.Close()
		do(
			t, b, protocol(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts}),
			chromedp.Navigate(srv.URL+"/archives/"+url.PathEscape(hostile)),
		)
		tabTo(t, b, "#token")
		do(t, b, chromedp.KeyEvent("not the token"))
		tabTo(t, b, "button[type=submit]")
		do(t, b, chromedp.KeyEvent(kb.Enter))
		settle(t, b, `document.querySelector("[role=alert]")?.textContent.includes("token") ?? false`)
		if len(f.runs()) != 0 {
			t.Errorf("a run without the token")
		}
		b.shot(t, "refused")
		b.output() // Chromium reports the 401
		if scripts {
			b.check(t)
		}

		tabTo(t, b, "#token")
		do(t, b, chromedp.KeyEvent(token), chromedp.KeyEvent(kb.Enter))
		settle(t, b, `document.querySelector(".note[role=status]")?.textContent.includes("begins") ?? false`)
		if runs := f.runs(); len(runs) != 1 || runs[0] != hostile {
			t.Errorf("runs: %q", runs)
		}
		if at := value(t, b, chromedp.Location()); strings.Contains(at, token) {
			t.Errorf("the token is in the address %s", at)
		}
		if scripts {
			b.check(t)
		}

		pauseByKeys(t, b, f, scripts)
	}
}

// pauseByKeys pauses the archive of the open page. The return key pauses in each field of that form, and starts no run,
// whatever the form for runs has.
func pauseByKeys(t *testing.T, b *browser, f *fake, scripts bool) {
	t.Helper()
	before := len(f.runs())
	tabTo(t, b, "#token")
	do(t, b, chromedp.KeyEvent(token))
	tabTo(t, b, "#pause summary")
	do(t, b, chromedp.KeyEvent(kb.Enter))
	tabTo(t, b, "#pause-token")
	do(t, b, chromedp.KeyEvent("not the token"))
	tabTo(t, b, "#reason")
	do(t, b, chromedp.KeyEvent("a disk"), chromedp.KeyEvent(kb.Enter))
	settle(t, b, `document.querySelector("[role=alert]")?.textContent.includes("token") ?? false`)
	b.shot(t, "refused-pause")
	b.output() // Chromium reports the 401
	if len(f.pauses) != 0 || len(f.runs()) != before {
		t.Errorf("without the token: pauses %+v, runs %v", f.pauses, f.runs())
	}
	if scripts {
		b.check(t)
	}
	tabTo(t, b, "#pause-token")
	do(t, b, chromedp.KeyEvent(token))
	tabTo(t, b, "#reason")
	do(t, b, chromedp.KeyEvent(kb.Enter)) // the text is still there
	settle(t, b, `document.querySelector(".note[role=status]")?.textContent.includes("paused") ?? false`)
	if f.pauses[0] != (Pause{noon, "the status page", "a disk"}) || len(f.runs()) != before {
		t.Errorf("pauses %+v, runs %v", f.pauses, f.runs())
	}
}

func TestBrowserLooksAgain(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	f := filled(well("orders"))
	srv := httptest.NewServer(newServer(t, f, token).Handler())
	do(t, b, chromedp.Navigate(srv.URL+"/"))
	badge := `document.querySelector(".badge").textContent`
	settle(t, b, badge+` === "Healthy"`)

	f.set(states()[StateFailing])
	value(t, b, chromedp.Evaluate[bool](`look().then(() => true)`, chromedp.EvalAwaitPromise))
	settle(t, b, badge+` === "Failing" && document.getElementById("summary").textContent.includes("needs attention")`)

	// An element in use is not replaced, and yet its content is not stale.
	tabTo(t, b, "h2 a")
	f.set(well("orders"))
	value(t, b, chromedp.Evaluate[bool](`look().then(() => true)`, chromedp.EvalAwaitPromise))
	settle(t, b, `document.activeElement.matches("h2 a") && `+badge+` === "Healthy"`)
	b.check(t)

	srv.Close()
	value(t, b, chromedp.Evaluate[bool](`look().then(() => true)`, chromedp.EvalAwaitPromise))
	settle(t, b, `document.getElementById("stale").textContent.includes("does not answer")`)
}

func TestBrowserCopiesTheCommand(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	srv := httptest.NewServer(newServer(t, filled(well("orders")), token).Handler())
	defer srv.Close()
	do(t, b, chromedp.Navigate(srv.URL+"/archives/orders/snapshots/7"))
	// The page calls this; headless Chromium has no clipboard of its own.
	value(t, b, chromedp.Evaluate[bool](`navigator.clipboard.writeText = async (text) => { window.copied = text }; true`))
	tabTo(t, b, ".copy")
	do(t, b, chromedp.KeyEvent(kb.Enter))
	settle(t, b, `window.copied === "strongroom restore orders@7 --to ./restored" && document.querySelector(".copy").textContent === "Copied"`)
	b.check(t)
}
