package providers

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// When everything fails, the attempts of all requests together are bounded.
func TestBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(8)
		n := 0
		for b.spend() == nil {
			n++
		}
		if n != budgetLeast+8*budgetPerTransfer {
			t.Errorf("%d attempts", n)
		}
		time.Sleep(budgetInterval)
		if err := b.spend(); err != nil {
			t.Errorf("after %v: %v", budgetInterval, err)
		}
		if err := b.spend(); !errors.Is(err, errBudget) {
			t.Errorf("%v", err)
		}
	})
}

// A request that fails when the budget is used up is not tried again, and its error says
// why, besides what the service said.
func TestNothingIsTriedAgainWithoutBudget(t *testing.T) {
	spent := newBudget(1)
	for spent.spend() == nil {
	}
	check := func(t *testing.T, err error, requests []string) {
		t.Helper()
		if len(requests) != 1 {
			t.Errorf("requests: %q", requests)
		}
		if err == nil || !strings.Contains(err.Error(), errBudget.Error()) || !strings.Contains(err.Error(), "it is so") || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is %v", err)
		}
	}
	t.Run("s3", func(t *testing.T) {
		f, s := newFake(t, Options{budget: spent}, func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusServiceUnavailable, "SlowDown") })
		_, err := s.Get(t.Context(), "data/a", 0, -1)
		check(t, err, f.seen())
	})
	t.Run("gcs", func(t *testing.T) {
		f, s := newFakeGCS(t, Options{budget: spent}, func(w http.ResponseWriter, _ *http.Request) bool {
			failGCS(w, http.StatusServiceUnavailable, "backendError", "it is so")
			return true
		})
		_, err := s.Get(t.Context(), "data/a", 0, -1)
		check(t, err, f.seen())
		if _, err = putBytes(t, s, "data/a", []byte("a")); !errors.Is(err, errBudget) {
			t.Errorf("Put: %v", err)
		}
	})
	t.Run("azure", func(t *testing.T) {
		f, s := newFakeAzure(t, Options{budget: spent}, func(_ *fakeAzure, w http.ResponseWriter, _ *http.Request) {
			failAzure(w, http.StatusServiceUnavailable, "ServerBusy")
		})
		_, err := s.Get(t.Context(), "data/a", 0, -1)
		check(t, err, f.seen())
	})
}
