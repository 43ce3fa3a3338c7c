package scheduler

import (
	"errors"
	"testing"
	"time"
)

// A status that is read late keeps the runs before the start and those since.
func TestLateStatusIsAdded(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	old := newStatusTracker(&Job{Name: "orders"})
	old.ended(begin, time.Second, Result{Snapshot: 7, Files: 3}, succeeded, nil)
	old.ended(begin.Add(time.Minute), time.Second, Result{}, failed, errors.New("old"))

	for _, test := range []struct {
		o                  outcome
		failures, snapshot int64
		success            time.Time
		reason             string
	}{
		{failed, 2, 7, begin, "new"},
		{succeeded, 0, 8, begin.Add(time.Hour), "old"},
	} {
		r := newStatusTracker(&Job{Name: "orders"})
		res, err := Result{}, errors.New("new")
		if test.o == succeeded {
			res, err = Result{Snapshot: 8, Files: 1}, nil
		}
		r.ended(begin.Add(time.Hour), time.Second, res, test.o, err)
		r.add(old.persisted())
		j := r.get()
		if j.FailuresInRow != test.failures || j.Snapshot != test.snapshot || !j.LastSuccess.Equal(test.success) ||
			j.LastError != test.reason || len(j.History) != 3 || j.Total.Runs() != 3 || j.Total.Milliseconds != 3000 ||
			j.Total.Files != 3+res.Files {
			t.Errorf("%+v", j)
		}
	}
	full := newStatusTracker(&Job{Name: "orders"})
	for range maxHistory {
		full.ended(begin.Add(time.Hour), time.Second, Result{}, succeeded, nil)
	}
	full.add(old.persisted())
	if n := len(full.get().History); n != maxHistory {
		t.Errorf("%d runs in the history", n)
	}
}
