package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// The largest number of elements in a response of the API, which is also the default.
const (
	maxSnapshots = 1000
	maxFiles     = 10000
)

//go:embed openapi.json
var openAPI []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI)
}

func (s *Server) apiArchives(w http.ResponseWriter, _ *http.Request) {
	v := apiArchives{Version: s.o.Version, Now: jsonTime(s.o.Now()), Archives: []apiArchive{}}
	for _, a := range s.backend.Archives() {
		v.Archives = append(v.Archives, newAPIArchive(&a))
	}
	writeJSON(w, http.StatusOK, v)
}

func (s *Server) apiArchive(w http.ResponseWriter, r *http.Request) {
	a, ok := s.archive(r.PathValue("name"))
	if !ok {
		s.failed(w, r, ErrNotFound)
		return
	}
	v := apiArchiveHistory{apiArchive: newAPIArchive(&a), History: []apiRun{}}
	for _, run := range a.History {
		v.History = append(v.History, newAPIRun(run))
	}
	writeJSON(w, http.StatusOK, v)
}

// archive finds an archive by name.
func (s *Server) archive(name string) (Archive, bool) {
	a, err := s.backend.Archive(name)
	return a, err == nil
}

func (s *Server) apiSnapshots(w http.ResponseWriter, r *http.Request) {
	before, err := number64(r, "before", 1, 1<<62, 1<<62)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	limit, err := number64(r, "limit", 1, maxSnapshots, maxSnapshots)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), backendTimeout)
	defer cancel()
	all, err := s.backend.Snapshots(ctx, r.PathValue("name"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	v := apiSnapshots{Snapshots: []apiSnapshot{}}
	list, older := window(all, before, int(limit))
	for _, one := range list {
		v.Snapshots = append(v.Snapshots, newAPISnapshot(one))
	}
	if older {
		v.NextBefore = &list[0].Sequence
	}
	writeJSON(w, http.StatusOK, v)
}

// window returns the newest snapshots below a sequence, and whether there are older ones.
func window(all []Snapshot, before int64, limit int) (list []Snapshot, older bool) {
	end := len(all)
	for end > 0 && all[end-1].Sequence >= before {
		end--
	}
	begin := max(end-limit, 0)
	return all[begin:end], begin > 0
}

func (s *Server) apiSnapshot(w http.ResponseWriter, r *http.Request) {
	sequence, err := snapshotNumber(r)
	if err != nil {
		s.failed(w, r, ErrNotFound)
		return
	}
	offset, err := number64(r, "offset", 0, 1<<62, 0)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	limit, err := number64(r, "limit", 1, maxFiles, maxFiles)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	if _, ok := s.archive(r.PathValue("name")); !ok {
		s.failed(w, r, ErrNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), backendTimeout)
	defer cancel()
	leave, err := s.limits.listing(ctx, r.PathValue("name"))
	if err != nil {
		s.failed(w, r, err)
		return
	}
	defer leave()
	snap, err := s.backend.Snapshot(ctx, r.PathValue("name"), sequence, Range{offset, limit})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	v := apiSnapshotFiles{apiSnapshot: newAPISnapshot(snap.Snapshot), List: []apiFile{}}
	for _, f := range snap.List {
		v.List = append(v.List, newAPIFile(f))
	}
	if end := min(offset, snap.Total) + int64(len(snap.List)); end < snap.Total {
		v.NextOffset = &end
	}
	writeJSON(w, http.StatusOK, v)
}

// bearer reports whether a request has the right token, and refuses it otherwise.
func (s *Server) bearer(w http.ResponseWriter, r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = ""
	}
	code, message := s.authorize(r, strings.TrimSpace(token))
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="strongroom"`)
	}
	if code != 0 {
		s.fail(w, r, code, message)
	}
	return code == 0
}

// authorize compares the token in constant time. A code other than 0 is a refusal, which is logged.
func (s *Server) authorize(r *http.Request, token string) (code int, message string) {
	if s.o.Token == "" {
		return http.StatusForbidden, "this service is read-only, since no token is configured; " +
			"set http.token_file to start runs from here"
	}
	have, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(s.o.Token))
	if subtle.ConstantTimeCompare(have[:], want[:]) != 1 {
		s.logRefusal(r)
		return http.StatusUnauthorized, "the token is missing or wrong; it is in the file that http.token_file names"
	}
	return 0, ""
}

// authorizedBody reads the whole body, and then responds with an error unless the request has the token.
func (s *Server) authorizedBody(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.badBody(w, r, err)
		return nil, false
	}
	return body, s.bearer(w, r)
}

// badBody responds to a request whose body could not be read.
func (s *Server) badBody(w http.ResponseWriter, r *http.Request, err error) {
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		s.fail(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", large.Limit))
		return
	}
	s.fail(w, r, http.StatusBadRequest, "the body cannot be read")
}

// failed responds with a Backend's error.
func (s *Server) failed(w http.ResponseWriter, r *http.Request, err error) {
	code, message := failure(err)
	s.fail(w, r, code, message)
}

func failure(err error) (code int, message string) {
	switch {
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound, "there is no such archive or snapshot"
	case errors.Is(err, ErrBusy):
		return http.StatusConflict, ErrBusy.Error()
	case errors.Is(err, ErrPaused):
		return http.StatusConflict, ErrPaused.Error()
	case errors.Is(err, ErrNoTask):
		return http.StatusConflict, ErrNoTask.Error()
	case errors.Is(err, ErrNotPending):
		return http.StatusConflict, ErrNotPending.Error()
	case errors.Is(err, ErrMalformed), errors.Is(err, errBadPause):
		return http.StatusBadRequest, err.Error()
	case errors.Is(err, errOverloaded):
		return http.StatusServiceUnavailable, errOverloaded.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "the archive did not answer in time; " +
			"the request to it continues, so try again in a while"
	}
	return http.StatusBadGateway, err.Error()
}

// number64 returns a query parameter that must be within bounds.
func number64(r *http.Request, name string, least, most, absent int64) (int64, error) {
	v := r.URL.Query().Get(name)
	if v == "" {
		return absent, nil
	}
	n, err := plainNumber(v)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s=%q: use a number from %d to %d", name, v, least, most)
	}
	return n, nil
}

// snapshotNumber returns the number of the snapshot in a request's path.
func snapshotNumber(r *http.Request) (int64, error) { return plainNumber(r.PathValue("sequence")) }

// plainNumber parses a number that is written in one form only, without a sign or leading zeros: each page has one
// address.
func plainNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err == nil && strconv.FormatInt(n, 10) != s {
		err = fmt.Errorf("%q is not written as %d", s, n)
	}
	return n, err
}
