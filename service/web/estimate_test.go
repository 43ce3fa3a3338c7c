package web

import (
	"strings"
	"testing"
)

// estimating is a Backend that estimates restores.
type estimating struct {
	*fake
	estimate RestoreEstimate
	isKnown  bool
}

func (e *estimating) RestoreEstimate(string, int64) (RestoreEstimate, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.estimate, e.isKnown
}

// An operator decides about a restore on the page: it shows beside the command how long that takes and what it costs. A
// text that is not known yet is no empty line.
func TestPageShowsWhatARestoreTakes(t *testing.T) {
	t.Parallel()
	e := &estimating{fake: filled(well("orders")), isKnown: true, estimate: RestoreEstimate{
		Snapshot: 119, Bytes: 3 << 30, Requests: 1, Frozen: 2,
		Time: "It takes about 4 min 10 s", Price: "It costs about 0.27 <USD>",
	}}
	page := get(t, newServer(t, e, ""), "/archives/orders")
	const want = "A restore of snapshot 119 reads 3.0 GiB with 1 request. First, 2 objects must be thawed. " +
		"It takes about 4 min 10 s. It costs about 0.27 &lt;USD&gt;."
	if !strings.Contains(page, want) {
		t.Errorf("the page does not have %q", want)
	}
	e.estimate.Missing = 1
	const missing = "But 1 object of it is missing at the provider: strongroom verify names what is damaged. It takes"
	if page := get(t, newServer(t, e, ""), "/archives/orders"); !strings.Contains(page, missing) {
		t.Error("the page hides that an object is missing")
	}
	e.estimate = RestoreEstimate{Snapshot: 119, Unknown: "the provider did not answer in time"}
	const unknown = "What a restore of snapshot 119 takes is not known: the provider did not answer in time."
	if page := get(t, newServer(t, e, ""), "/archives/orders"); !strings.Contains(page, unknown) {
		t.Error("the page does not state that the estimate is unknown")
	}
	e.isKnown = false
	for _, b := range []Backend{e, e.fake} {
		if page := get(t, newServer(t, b, ""), "/archives/orders"); strings.Contains(page, `id="estimate"`) {
			t.Error("the page has an estimate that is not known")
		}
	}
}
