package scheduler

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
)

// model checks for each run that it had a reason to begin when it did, and that none should have
// begun before. It is written from the promises, not from the timetable:
//
//   - A run begins when a scheduled time comes, at once when a request comes, again if a reload stops a
//     requested one, and, after a failure, after 0.8 to 1 times the backoff; while one goes on, right after it.
//   - A new job also begins when there is no snapshot, one from the future, one older than
//     the schedule allows, or a failure that has not been made up for.
//   - After the clock was set, all that is seen within a minute; a step back of a minute or
//     more lets the times come again that it skipped back over.
type model struct {
	t        *rapid.T
	schedule Schedule

	covered time.Time // wall: a run is due when a scheduled time after this comes
	low     time.Time // wall: the earliest that it showed since then
	atOnce  bool      // a new job has a reason to begin
	asked   time.Time // zero: not requested
	serves  bool      // the last run was requested
	idle    time.Time // since when
	began   time.Time // covered, when the last run began
	beganAt time.Time // wall: when that was
	busy    bool

	failing   bool
	failures  int64         // in a row, of this job
	failed    time.Time     // the last time
	jumped    bool          // since the last begin
	backwards time.Duration // all steps back since then
	set       time.Time     // when it was last set since then
	base      time.Time     // covered, before it was set several times within recheck
	seen      time.Time     // what it showed then

	at, wall time.Time // of the last line, or the last jump
}

// never is the deadline of a run that is not required.
func (m *model) never() time.Time { return m.at.Add(1000 * time.Hour) }

// renew is a start, or a reload.
func (m *model) renew(h *happened) {
	m.schedule = h.schedule
	m.covered, m.low, m.jumped, m.backwards, m.set = h.newest, h.newest, false, 0, time.Time{}
	m.atOnce = h.newest.IsZero() || h.newest.After(h.wall.Round(0)) || m.failing
	m.failures = 0 // a new job's backoff starts at the beginning
	if m.atOnce {
		m.covered, m.low = h.wall, h.wall
	}
	m.idle = h.at
}

func (m *model) jump(h *happened) {
	m.jumped = true
	if h.wall.Before(m.low) {
		m.low = h.wall
	}
	if h.by < 0 {
		m.backwards -= h.by
	}
	before := h.wall.Add(-h.by)
	if m.set.IsZero() || h.at.Sub(m.set) > recheck {
		m.base, m.seen = m.covered, before
	}
	m.set = h.at
	switch {
	case !h.wall.Before(m.seen): // it cannot be seen that the clock ever went back
		m.covered = m.base
	case !h.wall.Add(recheck).After(m.seen.Add(-2 * recheck)): // it shows at any two checks
		m.covered = h.wall.Add(recheck)
	default:
		if m.covered = h.wall.Add(recheck); m.covered.Before(m.base) {
			m.covered = m.base
		}
	}
}

// slack is how late the clock may be read.
func (m *model) slack() time.Duration {
	if m.jumped {
		return recheck
	}
	return 0
}

// deadline is the latest moment at which a run had to begin.
func (m *model) deadline() time.Time {
	end := m.never()
	by := func(t time.Time) {
		if t.Before(m.idle) {
			t = m.idle
		}
		if t.Before(end) {
			end = t
		}
	}
	if m.atOnce {
		by(m.idle)
	}
	if !m.asked.IsZero() {
		by(m.asked)
	}
	if m.failures > 0 {
		by(m.failed.Add(m.longest() + m.slack() + m.backwards))
	}
	if due := m.schedule.Next(m.covered); due.After(m.wall) {
		by(m.at.Add(due.Sub(m.wall)).Add(m.slack()))
	} else {
		by(m.at.Add(m.slack()))
	}
	return end
}

// longest is the backoff, before chance makes it shorter.
func (m *model) longest() time.Duration {
	return min(lastRetry, firstRetry<<min(m.failures-1, 12))
}

// justified reports whether a run has a reason to begin.
func (m *model) justified(h *happened) bool {
	switch {
	case m.atOnce || !m.asked.IsZero():
		return true
	case m.failures > 0 && (m.jumped || !h.at.Before(m.failed.Add(m.longest()*4/5))):
		return true
	}
	return !m.schedule.Next(m.low).After(h.wall)
}

func (m *model) begin(h *happened) {
	if !m.justified(h) {
		m.t.Fatalf("a run began at %v (the wall shows %v) for no reason: %+v", h.at, h.wall, m)
	}
	if end := m.deadline(); h.at.After(end) {
		m.t.Fatalf("a run began at %v, and should have at %v: %+v", h.at, end, m)
	}
	if m.low = h.wall; m.covered.Before(h.wall) {
		m.covered = h.wall
	}
	m.began, m.beganAt, m.serves = m.covered, h.wall, !m.asked.IsZero()
	m.busy, m.atOnce, m.asked, m.jumped, m.backwards, m.set = true, false, time.Time{}, false, 0, time.Time{}
}

// end is that of a run. Changes of the clock during it are applied now, as one step.
func (m *model) end(h *happened) {
	m.busy, m.idle = false, h.at
	if m.covered = m.began; !h.wall.After(m.beganAt.Add(-recheck)) {
		m.covered = h.wall
	}
}

// next takes one line of the record.
func (m *model) next(h *happened) {
	switch h.kind {
	case "start", "reload":
		m.renew(h)
	case "begin":
		m.begin(h)
	case "ask":
		m.asked = h.at
	case "jump":
		m.jump(h)
	case "good":
		m.end(h)
		m.failing, m.failures = false, 0
	case "bad":
		m.end(h)
		m.failing, m.failed = true, h.at
		m.failures++
	case "stopped": // by the reload before it
		if m.busy, m.idle = false, h.at; m.serves {
			m.asked = h.at // the new job serves the request
		}
	case "end":
		if end := m.deadline(); !m.busy && h.at.After(end) {
			m.t.Fatalf("no run began by %v, although one should have at %v: %+v", h.at, end, m)
		}
	}
	m.at, m.wall = h.at, h.wall
}

// No run is lost, none comes for no reason, and no two at once.
func TestTroubles(t *testing.T) {
	t.Parallel()
	rounds := 100 // of the 100 that rapid draws by default
	if soaktest.Racing {
		rounds = 10
	}
	for range rounds {
		rapid.Check(t, func(rt *rapid.T) {
			x := drawTrouble(rt)
			m := &model{t: rt}
			for _, h := range x.play(t) {
				if m.next(&h); h.kind == "end" {
					return
				}
			}
		})
	}
}
