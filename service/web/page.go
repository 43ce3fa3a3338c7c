package web

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"
)

//go:embed assets templates
var files embed.FS

// The largest number of elements that one page shows.
const (
	pageArchives  = 50
	pageSnapshots = 25
	pageFiles     = 200
	pageNames     = 100 // for each kind of difference
	pageDamaged   = 10
)

// assets are the files that a page loads. No other file is served.
var assets = map[string]string{
	"style.css": "text/css; charset=utf-8",
	"page.js":   "text/javascript; charset=utf-8",
	"icon.svg":  "image/svg+xml",
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	kind, ok := assets[name]
	b, err := files.ReadFile("assets/" + name)
	if !ok || err != nil {
		s.fail(w, r, http.StatusNotFound, "there is nothing here")
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(b)
}

// pages are the parsed templates by page.
type pages struct{ byName map[string]*template.Template }

func newPages() (*pages, error) {
	p := &pages{byName: map[string]*template.Template{}}
	for _, name := range []string{"index", "archive", "snapshot", "error"} {
		t, err := template.New("layout.html").Funcs(template.FuncMap{
			"clean": clean, "pair": func(c card, now time.Time) cardAt { return cardAt{c, now} }, "short": shortHash, "unhashed": restOfHash, "lines": cleanLines, "size": Size, "number": number, "count": count, "took": took,
			"stamp": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
			"utc":   func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05") },
		}).ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, err
		}
		p.byName[name] = t
	}
	return p, nil
}

// render writes a page, completely or not at all.
func (p *pages) render(w http.ResponseWriter, code int, name string, view any) {
	var b bytes.Buffer
	if err := p.byName[name].Execute(&b, view); err != nil {
		http.Error(w, "this page cannot be shown: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
}

// frame holds the values of every page.
type frame struct {
	Title   string
	Version string
	Now     time.Time
	Live    bool // the page updates itself
	Reload  bool // also without JavaScript
}

func (s *Server) frame(title string) frame {
	return frame{Title: title, Version: s.o.Version, Now: s.o.Now()}
}

// cardAt is a card at a time, for a template that takes one value.
type cardAt struct {
	Card card
	Now  time.Time
}

type errorView struct {
	frame
	Code    int
	Message string
}

type archiveView struct {
	frame
	Card      card
	Runs      []Run // newest first
	Snapshots []Snapshot
	Problem   string // why the snapshots are not shown
	Restore   string // a command; empty if there is nothing to restore
	Newest    int64  // the snapshot that it restores
	Short     string // the command for a host with the configuration; empty if that is Restore
	Estimate  string // what that takes and costs; empty if it is not known yet
	CanRun    bool
	Can       []action // what the buttons request; the first one is the usual one
	Said      string   // the result of a request for a run
	Refused   string
	Pauses    bool   // the refused form is that for a pause
	Reason    string // the reason that it had
	Confirm   []confirmView
	Confirmed string // the result of accepting a guard's finding
	NotTaken  string // why that was refused
	OlderHref string
}

// refusedForm is a form that was sent and refused. The zero value means none.
type refusedForm struct {
	asked  string // what the form asked for
	why    string
	reason string // of a pause, as the operator wrote it
}

func (s *Server) archivePage(w http.ResponseWriter, r *http.Request) {
	s.showArchive(w, r, http.StatusOK, refusedForm{})
}

// showArchive shows an archive's page, with the reason if a form was refused.
func (s *Server) showArchive(w http.ResponseWriter, r *http.Request, code int, refused refusedForm) {
	a, ok := s.archive(r.PathValue("name"))
	if !ok {
		s.failed(w, r, ErrNotFound)
		return
	}
	before, err := number64(r, "before", 1, 1<<62, 1<<62)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	v := archiveView{
		frame: s.frame(clean(a.Name)), Card: s.card("t", a), CanRun: s.o.Token != "", Confirm: s.confirmViews(&a),
	}
	v.answer(r.URL.Query().Get("asked"), refused)
	v.Runs = slices.Clone(a.History[max(0, len(a.History)-timelineRuns):])
	slices.Reverse(v.Runs)
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	v.Can = v.actions()
	// The provider may be unreachable. The page then shows everything else, and the snapshots of the last
	// successful read if there was one.
	all, err := s.backend.Snapshots(ctx, a.Name)
	if err != nil {
		_, v.Problem = failure(err)
	}
	if v.Card.Timeline == nil { // this host remembers no run
		v.Card.Timeline = newTimeline("t", s.o.Now(), made(all))
	}
	list, older := window(all, before, pageSnapshots)
	v.Snapshots = slices.Clone(list)
	slices.Reverse(v.Snapshots)
	if older {
		v.OlderHref = fmt.Sprintf("%s?before=%d", v.Card.Href, list[0].Sequence)
	}
	if v.Card.Kept == nil && err == nil && len(all) > 0 && !older && len(all) == len(list) {
		v.Card.Kept = &Kept{Snapshots: int64(len(all))}
	}
	if one := newestReadable(all); one != nil {
		v.Newest = one.Sequence
		v.Restore, v.Estimate = s.restoreCommand(&a, one.Sequence), s.estimateText(a.Name, one.Sequence)
		v.Short = s.shortRestore(&a, one.Sequence)
	}
	s.pages.render(w, code, "archive", v)
}

// action is a button that requests a run of a task.
type action struct{ Task, Label string }

// actions returns the tasks that can be requested.
func (v *archiveView) actions() []action {
	all := []action{{TaskBackup, "Make a snapshot now"}}
	for _, a := range []action{{TaskVerify, "Verify now"}, {TaskDrill, "Test a restore now"}, {TaskPrune, "Prune now"}} {
		if v.Card.Has(a.Task) {
			all = append(all, a)
		}
	}
	return all
}

// answer sets the result of a form.
func (v *archiveView) answer(asked string, refused refusedForm) {
	v.Live = refused == refusedForm{} // a form's address cannot be fetched again
	switch {
	case v.Live && askedTexts[asked] != "":
		if v.agrees(asked) {
			v.Said = askedTexts[asked]
		}
	case v.Live && asked == askedConfirm:
		v.Confirmed = "The finding was accepted, once. A run with this confirmation begins."
		if v.Card.isPaused() {
			v.Confirmed = "The finding was accepted, once. After the pause, a run with this confirmation begins."
		}
	case refused.asked == askedConfirm:
		v.NotTaken = refused.why
	default:
		v.Refused = refused.why
		if v.Pauses = refused.asked == askedPause; v.Pauses {
			v.Reason = strings.ToValidUTF8(refused.reason, "\ufffd")
		}
	}
}

// agrees reports whether the archive's state agrees with what an address states: it may be an old one, or from others.
func (v *archiveView) agrees(asked string) bool {
	if asked == askedPause || v.Card.isPaused() {
		return asked == askedPause && v.Card.isPaused()
	}
	return asked == askedResume || slices.ContainsFunc(v.actions(), func(a action) bool { return a.Task == asked })
}

// newestReadable returns the newest readable snapshot, or nil if there is none.
func newestReadable(all []Snapshot) *Snapshot {
	for i := range slices.Backward(all) {
		if all[i].Error == "" {
			return &all[i]
		}
	}
	return nil
}

// restoreCommand returns a command that works unchanged on any host with the credentials of the destination, except for
// the identity, which this host does not have. For an archive without an address, the host needs the configuration.
func (s *Server) restoreCommand(a *Archive, sequence int64) string {
	if a.Address == "" {
		return restoreFrom(s.o.Command, a.Name, sequence, a.Encrypted)
	}
	return restoreFrom(program, a.Address, sequence, a.Encrypted)
}

// shortRestore is restoreCommand for a host that has the configuration; empty if restoreCommand is that, too.
func (s *Server) shortRestore(a *Archive, sequence int64) string {
	if a.Address == "" {
		return ""
	}
	return restoreFrom(s.o.Command, a.Name, sequence, a.Encrypted)
}

func restoreFrom(command, where string, sequence int64, encrypted bool) string {
	command += fmt.Sprintf(" restore %s --to ./restored", shellQuote(fmt.Sprintf("%s@%d", where, sequence)))
	if encrypted {
		command += " --identity ./identity.txt"
	}
	return command
}
