package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Confirmation is a guard's finding that ended a run, and the text by which an operator accepts it.
type Confirmation struct {
	Confirmation string // the text that accepts it, such as rollback:41-0a1b2c3d
	Guard        string // such as rollback
	Task         string // the run that the guard ended: backup or prune
	Detail       string // the finding
	Since        time.Time
	Confirmed    time.Time // when an operator accepted it; zero if not yet
}

// accepting describes, for each guard, the effect of accepting its finding.
var accepting = map[string]string{
	"rollback": "Accept it if the database was restored to an earlier state on purpose: " +
		"the next snapshot holds the source as it is now, and older snapshots stay.",
	"take-over": "Accept it if this source is to continue the archive, in place of the source before it: " +
		"older snapshots stay.",
	"missing": "Accept it if the files were deleted on purpose: " +
		"the next snapshot is made without them, and older snapshots keep them.",
	"fork": "Accept it if the archive is to follow the source from here: " +
		"the other history stays in older snapshots.",
	"prune": "Accept it if these snapshots are to be removed: they cannot be restored afterwards.",
}

// Accepting describes the effect of accepting a guard's finding, for an operator.
func Accepting(guard string) string {
	if s := accepting[guard]; s != "" {
		return s
	}
	return "Accept it only if what was found is intended."
}

// Accepting describes the effect of accepting the finding, for an operator.
func (c Confirmation) Accepting() string { return Accepting(c.Guard) }

// ID is the id of the confirmation's element in the page.
func (c Confirmation) ID() string { return strings.ReplaceAll(c.Confirmation, ":", "-") }

// Word names the refused run in a sentence.
func (c Confirmation) Word() string {
	if c.Task == "backup" {
		return "The backup"
	}
	return "The " + strings.ToLower(Task{Name: c.Task}.Word())
}

// confirmView is a Confirmation on the archive's page.
type confirmView struct {
	Confirmation
	Command string // accepts the finding without the page
}

func (s *Server) confirmViews(a *Archive) []confirmView {
	var all []confirmView
	for _, c := range a.NeedsConfirmation {
		name, confirmation := shellQuote(a.Name), shellQuote(c.Confirmation)
		command := fmt.Sprintf("%s confirm %s %s", s.o.Command, name, confirmation)
		if s.o.Token == "" { // strongroom confirm needs the token, too
			command = fmt.Sprintf("%s %s --confirm %s %s", s.o.Command, shellQuote(c.Task), confirmation, name)
		}
		all = append(all, confirmView{c, command})
	}
	return all
}

// unconfirmed counts the findings that no operator has accepted yet.
func (a *Archive) unconfirmed() int64 {
	n := int64(0)
	for i := range a.NeedsConfirmation {
		if a.NeedsConfirmation[i].Confirmed.IsZero() {
			n++
		}
	}
	return n
}

// apiConfirm is the body of a request that accepts a guard's finding.
type apiConfirm struct {
	Confirmation string `json:"confirmation"`
}

func (s *Server) apiConfirm(w http.ResponseWriter, r *http.Request) {
	body, ok := s.authorizedBody(w, r)
	if !ok {
		return
	}
	c, err := decodeConfirm(body)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	id, err := s.confirm(r.PathValue("name"), c, "over HTTP")
	if err != nil {
		s.failed(w, r, err)
		return
	}
	writeJSON(w, http.StatusAccepted, apiAccepted{RunID: id})
}

// decodeConfirm reads the body's only field.
func decodeConfirm(body []byte) (string, error) {
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	var v apiConfirm
	if err := d.Decode(&v); err != nil || v.Confirmation == "" || d.More() {
		return "", errors.New(`the body must be JSON such as {"confirmation": "rollback:41-0a1b2c3d"}`)
	}
	return v.Confirmation, nil
}

// confirmForm returns the handler of the button below a guard's finding.
func (s *Server) confirmForm() http.HandlerFunc {
	return s.form(askedConfirm, func(name string, form url.Values) error {
		_, err := s.confirm(name, form.Get("confirmation"), "on the status page")
		return err
	})
}

func (s *Server) confirm(name, confirmation, where string) (runID string, err error) {
	id, err := s.backend.Confirm(name, confirmation)
	if err != nil {
		return "", err
	}
	s.o.Log.Info("an operator accepted a guard's finding, "+where,
		"archive", name, "confirmation", confirmation, "run", id)
	return id, nil
}
