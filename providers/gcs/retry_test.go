package gcs

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A request that fails when the budget is used up is not tried again. Its error states that, and what the
// service answered.
func TestNothingIsTriedAgainWithoutBudget(t *testing.T) {
	spent := cloud.NewBudget(1)
	for spent.Spend() == nil {
	}
	check := func(t *testing.T, err error, requests []string) {
		t.Helper()
		if len(requests) != 1 {
			t.Errorf("requests: %q", requests)
		}
		if err == nil || !strings.Contains(err.Error(), cloud.ErrBudget.Error()) || !strings.Contains(err.Error(), "it is so") || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is %v", err)
		}
	}
	f, s := newFake(t, cloud.Options{Budget: spent}, func(w http.ResponseWriter, _ *http.Request) bool {
		fail(w, http.StatusServiceUnavailable, "backendError", "it is so")
		return true
	})
	_, err := s.Get(t.Context(), "data/a", 0, -1)
	check(t, err, f.seen())
	if _, err = storetest.PutBytes(t, s, "data/a", []byte("a")); !errors.Is(err, cloud.ErrBudget) {
		t.Errorf("Put: %v", err)
	}
}
