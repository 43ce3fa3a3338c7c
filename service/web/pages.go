package web

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed assets templates
var files embed.FS

// What one page shows at most.
const (
	pageSnapshots = 25
	pageFiles     = 200
	pageNames     = 100 // of each kind of difference
	pageDamaged   = 10
)

// assets are the files that a page loads. Their names are all that is looked up.
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

// pages are the templates, one a page.
type pages struct{ byName map[string]*template.Template }

func newPages() (*pages, error) {
	p := &pages{byName: map[string]*template.Template{}}
	for _, name := range []string{"index", "archive", "snapshot", "error"} {
		t, err := template.New("layout.html").Funcs(template.FuncMap{
			"clean": clean, "lines": cleanLines, "size": size, "number": number, "count": count, "took": took,
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

// render writes a page, whole or not at all.
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

// frame is what every page has.
type frame struct {
	Title   string
	Version string
	Now     time.Time
	Live    bool // the page looks again by itself
	Reload  bool // also without JavaScript
}

func (s *Server) frame(title string) frame {
	return frame{Title: title, Version: s.o.Version, Now: s.o.Now()}
}

type errorView struct {
	frame
	Code    int
	Message string
}

type indexView struct {
	frame
	Summary string
	Trouble bool
	Cards   []card
}

// card is an archive as it is drawn, on the front page and on its own.
type card struct {
	Archive
	State    State
	Word     string // the state for people
	Sentence string
	Timeline *timeline
	Href     string
	More     int // damaged files beyond those that are shown
}

func (s *Server) card(id string, a Archive) card {
	now := s.o.Now()
	c := card{
		Archive: a, State: a.State(), Sentence: a.sentence(now),
		Timeline: newTimeline(id, now, a.History), Href: "/archives/" + url.PathEscape(a.Name),
	}
	c.Word = map[State]string{
		StateDamaged: "Damaged", StateFailing: "Failing", StateOverdue: "Overdue",
		StateRunning: "Running", StateEmpty: "No snapshot yet", StateOK: "All is well",
	}[c.State]
	if n := len(a.Damaged); n > pageDamaged {
		c.Damaged, c.More = a.Damaged[:pageDamaged], n-pageDamaged
	}
	return c
}

// ReadWidth is how much of what is stored was ever read back and found good, in percent.
func (c card) ReadWidth() string {
	return percent(100 * min(1, ratio(c.LastVerification.ReadBytes, c.LastVerification.BytesTotal)))
}

// VerifiedText says what the last verification covered.
func (c card) VerifiedText(now time.Time) string {
	v := c.LastVerification
	if v.At.IsZero() {
		return "never"
	}
	problems := "no problems"
	if v.Problems > 0 {
		problems = count(v.Problems, "problem")
	}
	text := fmt.Sprintf("%s, %s: %s of %s looked at", ago(now, v.At), problems, number(v.Objects), count(v.ObjectsTotal, "object"))
	if v.Bytes > 0 {
		text += fmt.Sprintf(", %s of %s read and hashed", size(v.Bytes), size(v.BytesTotal))
	}
	return text
}

// ReadText says how much was ever read back, since only that finds bits that have changed.
func (c card) ReadText(now time.Time) string {
	v := c.LastVerification
	switch {
	case v.At.IsZero():
		return ""
	case v.ReadSince.IsZero():
		return "No data was ever read back."
	case v.ReadBytes >= v.BytesTotal:
		return "All data was read back within the last " + span(max(time.Minute, now.Sub(v.ReadSince))) + "."
	}
	return fmt.Sprintf("%s of %s were ever read back, the longest ago %s.", size(v.ReadBytes), size(v.BytesTotal), ago(now, v.ReadSince))
}

// Drills reports whether there is anything to say of drills.
func (c card) Drills() bool {
	return !c.LastDrill.At.IsZero() || slices.ContainsFunc(c.Tasks, func(t Task) bool { return t.Name == "drill" })
}

// taskWords are what the page calls a task.
var taskWords = map[string]string{"verify": "Verification", "drill": "Trial restore", "prune": "Prune"}

// Word is the task for people.
func (t Task) Word() string {
	if w := taskWords[t.Name]; w != "" {
		return w
	}
	return clean(t.Name)
}

// Text says how a task is: what came of the last one, and when the next one begins.
func (t Task) Text(now time.Time) string {
	var parts []string
	switch {
	case t.FailuresInRow > 0:
		parts = append(parts, "failed "+ago(now, t.LastFailure.At))
		if !t.LastSuccess.IsZero() {
			parts = append(parts, "last ended well "+ago(now, t.LastSuccess))
		}
	case t.LastSuccess.IsZero():
		parts = append(parts, "not yet")
	default:
		parts = append(parts, ago(now, t.LastSuccess)+", in "+took(t.Last))
	}
	switch {
	case t.Running:
		parts = append(parts, "goes on now")
	case t.Overdue:
		parts = append(parts, "overdue")
	}
	if !t.Running && !t.NextRun.IsZero() {
		parts = append(parts, "next "+ahead(now, t.NextRun))
	}
	return strings.Join(parts, "; ")
}

// DrillText says when a restore was last proven, and what became of the last drill.
func (c card) DrillText(now time.Time) string {
	text := "never"
	if !c.ProvenRestore.IsZero() {
		text = ago(now, c.ProvenRestore)
	}
	d := c.LastDrill
	switch {
	case d.At.IsZero():
		return text
	case d.Error != "":
		return text + fmt.Sprintf("; the trial of snapshot %d failed %s", d.Snapshot, ago(now, d.At))
	}
	return text + fmt.Sprintf(", of snapshot %d, in %s", d.Snapshot, took(d.Duration))
}

// FailedText says when a run last failed; empty: never.
func (c card) FailedText(now time.Time) string {
	if c.LastFailure.At.IsZero() {
		return ""
	}
	return ago(now, c.LastFailure.At)
}

// BehindText says what waits to be archived.
func (c card) BehindText() string {
	if c.Behind == nil {
		return "not known"
	}
	if c.Behind.Files == 0 && c.Behind.Bytes == 0 {
		return "nothing"
	}
	return count(c.Behind.Files, "file") + ", " + size(c.Behind.Bytes)
}

func (s *Server) indexPage(w http.ResponseWriter, _ *http.Request) {
	v := indexView{frame: s.frame("Strongroom")}
	v.Live, v.Reload = true, true
	trouble := int64(0)
	for i, a := range s.backend.Archives() {
		c := s.card("t"+strconv.Itoa(i), a)
		if c.State.trouble() {
			trouble++
		}
		v.Cards = append(v.Cards, c)
	}
	v.Trouble = trouble > 0
	switch n := int64(len(v.Cards)); {
	case trouble == 1:
		v.Summary = fmt.Sprintf("1 of %s needs attention.", count(n, "archive"))
	case trouble > 1:
		v.Summary = fmt.Sprintf("%s of %s need attention.", number(trouble), count(n, "archive"))
	case n == 1:
		v.Summary = "Nothing needs attention."
	case n > 1:
		v.Summary = fmt.Sprintf("None of %s needs attention.", count(n, "archive"))
	}
	s.pages.render(w, http.StatusOK, "index", v)
}

type archiveView struct {
	frame
	Card      card
	Runs      []Run // newest first
	Snapshots []Snapshot
	Problem   string // why the snapshots are not shown
	Restore   string // a command; empty: there is nothing to restore
	CanRun    bool
	Said      string // what came of asking for a run
	Refused   string
	OlderHref string
}

func (s *Server) archivePage(w http.ResponseWriter, r *http.Request) {
	s.showArchive(w, r, http.StatusOK, "")
}

// showArchive shows an archive's page, with why a run was refused.
func (s *Server) showArchive(w http.ResponseWriter, r *http.Request, code int, refused string) {
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
	v := archiveView{frame: s.frame(clean(a.Name)), Card: s.card("t", a), CanRun: s.o.Token != "", Refused: refused}
	v.Live = refused == "" // there is nothing to look at again where the form was sent to
	if refused == "" {
		v.Said = map[string]string{
			string(Started): "The run has been asked for and begins.",
			string(Waiting): "The run has been asked for and begins when the present one has ended.",
		}[r.URL.Query().Get("asked")]
	}
	v.Runs = slices.Clone(a.History[max(0, len(a.History)-timelineRuns):])
	slices.Reverse(v.Runs)
	ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
	defer cancel()
	// The provider may be away: all else on the page is known without it, and maybe what
	// there was when it last answered.
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
	v.Restore = s.restoreNewest(&a, all)
	s.pages.render(w, code, "archive", v)
}

// restoreNewest is the command for the newest snapshot that can be read; empty if there is
// none.
func (s *Server) restoreNewest(a *Archive, all []Snapshot) string {
	for _, one := range slices.Backward(all) {
		if one.Error == "" {
			return s.restoreCommand(a, one.Sequence)
		}
	}
	return ""
}

// restoreCommand works as it stands, but for the identity, which this host does not have.
func (s *Server) restoreCommand(a *Archive, sequence int64) string {
	command := fmt.Sprintf("%s restore %s --to ./restored", s.o.Command, shellQuote(fmt.Sprintf("%s@%d", a.Name, sequence)))
	if a.Encrypted {
		command += " --identity ./identity.txt"
	}
	return command
}

// backupForm is the button on an archive's page. The token is typed in each time: a
// cookie would be sent along with what another site asks for.
func (s *Server) backupForm(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.badBody(w, r, err)
		return
	}
	name := r.PathValue("name")
	if code, message := s.authorize(r.PostForm.Get("token")); code != 0 {
		s.showArchive(w, r, code, message)
		return
	}
	id, state, err := s.backend.Trigger(name)
	if err != nil {
		code, message := failure(err)
		s.showArchive(w, r, code, message)
		return
	}
	s.o.Log.Info("a run was asked for on the status page", "archive", name, "run", id, "state", string(state))
	http.Redirect(w, r, "/archives/"+url.PathEscape(name)+"?asked="+string(state), http.StatusSeeOther)
}
