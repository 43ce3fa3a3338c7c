package notify_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/service/notify"
)

type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// A target that cannot be reached cannot report that, so the metrics count the attempts.
func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, err := notify.New([]string{"https://hc.example.org/x"}, notify.Options{Archive: "a", Transport: unreachable{}})
		if err != nil {
			t.Fatal(err)
		}
		go n.Run(t.Context())
		if n.Failures() != 0 {
			t.Errorf("%d failures at the start", n.Failures())
		}
		n.Succeeded()
		time.Sleep(10 * time.Second) // attempts after 0, 1, 3 and 7 s
		if n.Failures() != 4 {
			t.Errorf("%d failures", n.Failures())
		}
	})
}
