package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// The tasks that Trigger requests.
const (
	TaskBackup = "backup"
	TaskVerify = "verify"
	TaskDrill  = "drill"
	TaskPrune  = "prune"
)

// allTasks are these, in the order of the page.
var allTasks = []string{TaskBackup, TaskVerify, TaskDrill, TaskPrune}

// Pause is why no run of an archive begins. The zero value means that runs do begin.
type Pause struct {
	Since  time.Time
	By     string // what or who paused it, such as the status page
	Reason string // as the operator wrote it; empty if none was given
}

// maxPauseText bounds each text of a Pause, in bytes.
const maxPauseText = 200

// text describes the pause, without a verb.
func (p Pause) text(now time.Time) string {
	s := "since " + clock(now, p.Since) + " UTC"
	if p.By != "" {
		s += " by " + clean(p.By)
	}
	if p.Reason != "" {
		s += ": " + clean(p.Reason)
	}
	return s
}

// errBadPause means that a form has a text that no pause may have.
var errBadPause = errors.New("the archive is not paused")

// check returns an error if a text is too long or no text.
func (p Pause) check() error {
	for what, s := range map[string]string{"by": p.By, "reason": p.Reason} {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%s is not valid UTF-8", what)
		}
		if n := len(s); n > maxPauseText {
			return fmt.Errorf("%s has %d bytes: shorten it to at most %d bytes; a letter such as ä has two", what, n, maxPauseText)
		}
	}
	return nil
}

// run requests a run of a task.
func (s *Server) run(name, task, where string) (runID string, err error) {
	id, err := s.backend.Trigger(name, task)
	if err != nil {
		return "", err
	}
	s.o.Log.Info("a run was requested "+where, "archive", name, "task", task, "run", id)
	return id, nil
}

// apiRun handles a request for a run of a task.
func (s *Server) apiRun(task string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, ok := s.authorizedBody(w, r); !ok {
			return
		}
		id, err := s.run(r.PathValue("name"), task, "over HTTP")
		if err != nil {
			s.failed(w, r, err)
			return
		}
		writeJSON(w, http.StatusAccepted, apiAccepted{RunID: id})
	}
}

// apiPauseRequest is the body of a request that pauses an archive. The body may be empty.
type apiPauseRequest struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// apiPaused is the answer to a request that pauses or resumes an archive.
type apiPaused struct {
	Paused *apiPause `json:"paused"`
}

func (s *Server) apiPause(w http.ResponseWriter, r *http.Request) {
	body, ok := s.authorizedBody(w, r)
	if !ok {
		return
	}
	p, err := decodePause(body)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	p, err = s.backend.Pause(r.PathValue("name"), p)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, apiPaused{newAPIPause(p)})
}

// decodePause reads the optional body of a request.
func decodePause(body []byte) (Pause, error) {
	v := apiPauseRequest{}
	if strings.TrimSpace(string(body)) != "" {
		d := json.NewDecoder(strings.NewReader(string(body)))
		d.DisallowUnknownFields()
		if err := d.Decode(&v); err != nil || d.More() {
			return Pause{}, errors.New(`the body must be empty, or JSON such as {"reason": "the disk is replaced"}`)
		}
	}
	p := Pause{By: v.By, Reason: v.Reason}
	if p.By == "" {
		p.By = "the API"
	}
	return p, p.check()
}

func (s *Server) apiResume(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.authorizedBody(w, r); !ok {
		return
	}
	if err := s.backend.Resume(r.PathValue("name")); err != nil {
		s.failed(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, apiPaused{})
}

// form handles a form on an archive's page, whose button does something. The user enters the token each time: a
// browser would add a cookie to another site's requests, too. The page then shows the text of asked.
func (s *Server) form(asked string, do func(name string, form url.Values) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			s.badBody(w, r, err)
			return
		}
		name := r.PathValue("name")
		refuse := func(code int, why string) {
			s.showArchive(w, r, code, refusedForm{asked: asked, why: why, reason: r.PostForm.Get("reason")})
		}
		if code, message := s.authorize(r, r.PostForm.Get("token")); code != 0 {
			refuse(code, message)
			return
		}
		if err := do(name, r.PostForm); err != nil {
			code, message := failure(err)
			refuse(code, message)
			return
		}
		http.Redirect(w, r, "/archives/"+url.PathEscape(name)+"?asked="+asked, http.StatusSeeOther)
	}
}

// What the page was asked for last, as the query's asked. A task's name is one, too.
const (
	askedConfirm = "confirmed"
	askedPause   = "paused"
	askedResume  = "resumed"
)

// askedTexts are the texts that the page then shows.
var askedTexts = map[string]string{
	TaskBackup:  "The run was requested and begins.",
	TaskVerify:  "A verification was requested and begins.",
	TaskDrill:   "A test restore was requested and begins.",
	TaskPrune:   "A prune was requested and begins.",
	askedPause:  "The archive is paused: no run begins until it is resumed.",
	askedResume: "The archive is resumed: what became due in between begins.",
}

// runForm returns the handler of the button that requests a run.
func (s *Server) runForm(task string) http.HandlerFunc {
	return s.form(task, func(name string, _ url.Values) error {
		_, err := s.run(name, task, "on the status page")
		return err
	})
}

// pauseForm returns the handler of the button that pauses an archive.
func (s *Server) pauseForm() http.HandlerFunc {
	return s.form(askedPause, func(name string, form url.Values) error {
		p := Pause{By: "the status page", Reason: strings.TrimSpace(form.Get("reason"))}
		if err := p.check(); err != nil {
			return fmt.Errorf("%w: %w", errBadPause, err)
		}
		_, err := s.backend.Pause(name, p)
		return err
	})
}

// resumeForm returns the handler of the button that ends a pause.
func (s *Server) resumeForm() http.HandlerFunc {
	return s.form(askedResume, func(name string, _ url.Values) error { return s.backend.Resume(name) })
}
