package web

import (
	"context"
	_ "embed"
	"fmt"
	"net/http/httptest"
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
)

// axe looks for what keeps people out: contrast, names, roles, order. It is run in the
// page; its licence lies beside it.
//
//go:embed testdata/axe/axe.min.js
var axe string

// browser is one Chromium for a test, with what its console said.
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
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.UserDataDir(t.TempDir()))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
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

// listen keeps what the console says.
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

// said returns what the console said since the last call.
func (b *browser) said() []string {
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

// view is how the page is looked at.
func view(width int64, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.EmulateViewport(width, 900),
		protocol(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}),
	)
}

// check holds what is open against axe's rules, and looks for a page that is wider than the
// window and for anything that the console says.
func (b *browser) check(t *testing.T) {
	t.Helper()
	value(t, b, chromedp.Evaluate[int](axe+";0"))
	list := value(t, b, chromedp.Evaluate[[]string](
		`axe.run().then(r => r.violations.map(v => [v.id, v.help, ...v.nodes.map(n => n.html + " " + n.failureSummary)].join("\n")))`, chromedp.EvalAwaitPromise))
	for _, violation := range list {
		t.Errorf("axe: %s", violation)
	}
	if value(t, b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > window.innerWidth`)) {
		t.Error("the page is wider than the window")
	}
	for _, line := range b.said() {
		t.Errorf("the console says: %s", line)
	}
}

// shot keeps a picture below STRONGROOM_SHOTS, for people to look at.
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
	b := newBrowser(t)
	for state, a := range states() {
		f := filled(a)
		for _, name := range []string{hostile, "invoices"} {
			other := well(name)
			f.archives = append(f.archives, other)
		}
		srv := httptest.NewServer(newServer(t, f, token).Handler())
		defer srv.Close()
		for _, width := range []int64{360, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				for page, path := range map[string]string{"index": "/", "archive": "/archives/orders"} {
					name := fmt.Sprintf("%s-%s-%d-%s", page, state, width, scheme)
					t.Run(name, func(t *testing.T) {
						do(t, b, view(width, scheme), chromedp.Navigate(srv.URL+path))
						b.check(t)
						b.shot(t, name)
						text := value(t, b, chromedp.Text(".card .badge"))
						if want := (&Server{o: Options{Now: func() time.Time { return noon }}}).card("", a).Word; strings.TrimSpace(text) != want {
							t.Errorf("the first badge says %q, not %q", text, want)
						}
					})
				}
			}
		}
	}
}

func TestBrowserSnapshotAndErrors(t *testing.T) {
	b := newBrowser(t)
	srv := httptest.NewServer(newServer(t, filled(well("orders")), token).Handler())
	defer srv.Close()
	for _, width := range []int64{360, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			name := fmt.Sprintf("snapshot-%d-%s", width, scheme)
			do(t, b, view(width, scheme), chromedp.Navigate(srv.URL+"/archives/orders/snapshots/120"))
			b.check(t)
			b.shot(t, name)
		}
	}
	none := httptest.NewServer(newServer(t, &fake{}, "").Handler())
	defer none.Close()
	do(t, b, view(360, "light"), chromedp.Navigate(none.URL+"/"))
	b.check(t)
	b.shot(t, "none")
}
