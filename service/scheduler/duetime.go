package scheduler

import (
	"hash/maphash"
	"math/rand/v2"
	"time"
)

const (
	// recheck is the longest sleep before the wall clock is read again, and the smallest
	// step back of it that is taken for one: what NTP corrects is far less.
	recheck = time.Minute

	firstRetry = time.Second
	lastRetry  = time.Hour
)

// timetable says when one job runs next. It is told the time and never asks for it, so that
// every jump of the clock can be shown to it in a test:
//
//   - The clock goes forward, or the host was suspended: what was due meanwhile is made up
//     for by one run, at once.
//   - It goes back, by recheck or more: what is due is reckoned anew, from the new time;
//     else a job could wait for as long as the clock had been wrong. The new time may come
//     by a due time that was served already, and then there is one more run, which finds
//     nothing new. A smaller step back is waited out.
type timetable struct {
	schedule Schedule
	jitter   time.Duration
	together string // with whom it is put off by the same time

	due          time.Time     // the first scheduled time that no run has covered; zero: never
	delay        time.Duration // by which that is put off: the jitter
	retry        time.Time     // when to try again what failed; zero: it did not
	failures     int64         // in a row
	overdueSince time.Time     // the first time at which a run was due since one last ended well; zero: none was
	lastNow      time.Time     // the time when last told
}

// newTimetable begins with a run at once if the schedule had a time since the last snapshot,
// if there is none (zero), or if it bears a time to come, which tells nothing.
func newTimetable(j *Job, last, now time.Time) *timetable {
	a := &timetable{schedule: j.Schedule, jitter: j.Jitter, together: j.Together, lastNow: now}
	if j.OnDemand {
		return a
	}
	if last.IsZero() || last.After(now) {
		a.due = now
		return a
	}
	a.plan(last)
	if !a.due.IsZero() && !a.due.After(now) {
		a.delay = 0
	}
	return a
}

// plan sets the next due time after one that has been served.
func (a *timetable) plan(after time.Time) {
	a.due = a.schedule.Next(after)
	a.delay = 0
	switch {
	case a.jitter <= 0:
	case a.together == "":
		a.delay = rand.N(a.jitter)
	default:
		a.delay = time.Duration(maphash.Comparable(seed, appointment{a.together, a.due.UnixNano()}) % uint64(a.jitter))
	}
}

// seed makes the delays of this process others than those of other hosts.
var seed = maphash.MakeSeed()

// appointment is what jobs have in common that are put off by the same time.
type appointment struct {
	together string
	due      int64
}

// next returns when the job is to run, and false if never.
func (a *timetable) next() (time.Time, bool) {
	switch scheduled := a.due.Add(a.delay); {
	case a.due.IsZero():
		return a.retry, !a.retry.IsZero()
	case !a.retry.IsZero() && a.retry.Before(scheduled):
		return a.retry, true
	default:
		return scheduled, true
	}
}

// wait returns how long to sleep before asking again; nothing when the job is to run now.
func (a *timetable) wait(now time.Time) time.Duration {
	if !now.After(a.lastNow.Add(-recheck)) {
		a.plan(now)
		a.overdueSince = time.Time{}
		if a.failures > 0 {
			a.retry, a.overdueSince = now, now
		}
	}
	a.lastNow = now
	at, ok := a.next()
	if !ok {
		return recheck
	}
	return max(0, min(at.Sub(now), recheck))
}

// setOverdue notes that a run is due although the schedule does not say so.
func (a *timetable) setOverdue(now time.Time) {
	if a.overdueSince.IsZero() {
		a.overdueSince = now
	}
}

// catchUp notes at the beginning since when a run is due: since the first time after one last
// ended well, which may be later than the newest snapshot, where there was nothing new.
func (a *timetable) catchUp(well, now time.Time) {
	if at, ok := a.next(); !ok || at.After(now) {
		return
	}
	a.overdueSince = now
	if well.IsZero() {
		return
	}
	if due := a.schedule.Next(well); !due.IsZero() && due.Before(now) {
		a.overdueSince = due
	}
}

// began notes that a run begins. It covers all that is due by now.
func (a *timetable) began(now time.Time) {
	a.retry = time.Time{}
	if a.due.IsZero() || a.due.After(now) {
		return // before its time
	}
	a.setOverdue(a.due)
	// From the due time, not from now, or @every would drift by the jitter.
	a.plan(a.due)
	if !a.due.IsZero() && !a.due.After(now) {
		a.plan(now)
	}
}

// ended notes what came of a run.
func (a *timetable) ended(now time.Time, o outcome) {
	switch o {
	case succeeded:
		a.failures = 0
		a.overdueSince = time.Time{}
	case failed:
		a.failures++
		a.retry = now.Add(backoff(a.failures))
		a.setOverdue(now)
	}
}

// deadline returns by when a run must have ended well, or somebody should be told; the zero
// time if none is expected. A run has half the time that the schedule leaves between two,
// a minute at the least and an hour at the most, and three times as long as the last good
// one took.
func (a *timetable) deadline(took time.Duration) time.Time {
	from := a.overdueSince
	if from.IsZero() {
		from = a.due
	}
	if from.IsZero() {
		return time.Time{}
	}
	leeway := time.Minute
	if after := a.schedule.Next(from); !after.IsZero() {
		leeway = min(max(leeway, after.Sub(from)/2), time.Hour)
	}
	return from.Add(a.jitter + leeway + 3*took)
}

// backoff returns how long to wait after so many failures in a row: a second, doubling up
// to an hour, each shortened at random by up to a fifth, so that what failed together
// does not come back together.
func backoff(failures int64) time.Duration {
	d := lastRetry
	if shift := failures - 1; shift < 12 { // 2^12 s are more than an hour
		d = min(d, firstRetry<<shift)
	}
	return d - rand.N(d/5)
}
