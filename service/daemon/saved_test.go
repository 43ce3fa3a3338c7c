package daemon

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/web"
)

// A state that is read after the start, since the disk was slow, adds what no run since has replaced: an unused
// confirmation, the last verification and drill, and the notifications that were sent.
func TestLateStateIsAdded(t *testing.T) {
	t.Parallel()
	d := New(load(t, two), Options{Open: func(context.Context, *config.Config, *config.Archive, archive.Limiter) (*Archive, error) {
		return nil, errors.New("it is not needed")
	}})
	at := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	const confirmation = "rollback:41-0a1b2c3d"
	k := d.managedArchive("orders")
	late := func() *savedState { // with maps of its own
		return &savedState{
			refused: keptRefusals{k.refusals.about, map[string]*refused{
				"": {Confirmation: confirmation, Since: at, Accepted: map[string]time.Time{confirmation: at}},
			}},
			verified: keptVerification{k.settings.Destination, web.Verification{At: at, Objects: 7}},
			drilled:  keptDrills{k.settings.Destination, drills{web.Drill{At: at, Snapshot: 3}, at}},
		}
	}
	all := late()
	for key := range d.notifiers["orders"].Export() {
		all.notified = map[string]notify.State{key: notify.Failing}
	}
	d.addSaved("orders", all)
	if c := k.refusals.carry("").Confirmed; len(c) != 1 || c[0].String() != confirmation {
		t.Errorf("the confirmations are %v", c)
	}
	if v := k.known.verification; v.Objects != 7 {
		t.Errorf("the verification is %+v", v)
	}
	if last := k.known.drills; last.Last.Snapshot != 3 || !last.Proven.Equal(at) {
		t.Errorf("the drill is %+v", last)
	}
	for _, state := range d.notifiers["orders"].Export() {
		if state != notify.Failing {
			t.Errorf("%q counts as sent", state)
		}
	}

	k.keepVerification(&web.Verification{At: at.Add(time.Hour), Objects: 8})
	k.refusals.ended("", archive.Acceptance{}, nil, at)
	d.addSaved("orders", late())
	if v := k.known.verification; v.Objects != 8 {
		t.Errorf("a newer verification became %+v", v)
	}
	if c := k.refusals.carry("").Confirmed; len(c) != 0 {
		t.Errorf("after a success the confirmations are %v", c)
	}

	other := d.managedArchive("users") // a guard has refused the same again
	other.refusals.ended("", archive.Acceptance{}, refusal(manifest.GuardRollback, "41-0a1b2c3d", "rolled back"), at.Add(time.Hour))
	again := late()
	again.refused.About = other.refusals.about
	d.addSaved("users", again)
	if c := other.refusals.carry("").Confirmed; len(c) != 1 {
		t.Errorf("after the same refusal the confirmations are %v", c)
	}
	d.addSaved("gone", late()) // its archive was removed
}
