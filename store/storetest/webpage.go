package storetest

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// WebPage answers as a captive portal or a misled proxy does.
func WebPage(w http.ResponseWriter, status int) {
	clear(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, "<!DOCTYPE html><html><body>Please sign in</body></html>")
}

// CheckWebPages checks that each operation of a store whose service answers with a WebPage fails because of it, and does
// not take it for success or for a statement about an object. what names the case in the errors of the test.
func CheckWebPages(t *testing.T, s store.Store, what string) {
	t.Helper()
	_, putErr := PutBytes(t, s, "a", []byte("a"))
	_, largeErr := PutBytes(t, s, "a", make([]byte, cloud.SingleMax+1))
	_, statErr := s.Stat(t.Context(), "a")
	_, getErr := s.Get(t.Context(), "a", 0, -1)
	_, rangeErr := s.Get(t.Context(), "a", 3, 4)
	var listErr error
	for _, err := range s.List(t.Context(), "", "", "") {
		listErr = err
	}
	for op, err := range map[string]error{
		"putting": putErr, "putting in parts": largeErr, "checking": statErr, "getting": getErr, "getting a range": rangeErr,
		"listing": listErr, "deleting": s.Delete(t.Context(), store.AnyVersion("a", "b")),
	} {
		switch {
		case err == nil:
			t.Errorf("%s: %s succeeded", what, op)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, store.ErrExists), errors.Is(err, store.ErrWeakStore),
			errors.Is(err, store.ErrTransient),
			!strings.Contains(err.Error(), "web page"), strings.Contains(err.Error(), "sign in"):
			t.Errorf("%s: %s: %v", what, op, err)
		}
	}
}
