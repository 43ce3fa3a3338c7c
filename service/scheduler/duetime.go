package scheduler

import (
	"hash/maphash"
	"math/rand/v2"
	"time"
)

const (
	// recheck is the longest sleep before the wall clock is read again. It is also the smallest step back that
	// counts as a clock change: NTP's corrections are far smaller.
	recheck = time.Minute

	firstRetry = time.Second
	lastRetry  = time.Hour
)

// timetable computes when one job runs next. Its methods take the time as an argument, so that a test can simulate
// every jump of the clock:
//
//   - The clock jumps forward, or the host was suspended: one run at once covers all times that were missed.
//   - The clock steps back by recheck or more: the next due time is computed again from the new time. Otherwise a
//     job could wait for as long as the clock had been wrong. A due time may then occur a second time, which gives
//     one more run that finds nothing new.
//   - The clock steps back by less than recheck: the job waits for its due time.
type timetable struct {
	schedule Schedule
	jitter   time.Duration
	together string // jobs with the same text have the same delay; see Job.Together
	onDemand bool   // only a request makes a run due, or the failure of a snapshot
	once     bool   // no failure makes a run due; see Job.OnDemand

	due          time.Time     // the first scheduled time that no run has covered; zero if there is none
	delay        time.Duration // the delay after due, by the jitter
	retry        time.Time     // the time of the next retry; zero if the last run did not fail
	failures     int64         // in a row
	overdueSince time.Time     // the first due time since the last success; zero if none
	lastNow      time.Time     // the time at the last call of wait

	gap struct { // the last result of interval
		due     time.Time
		longest time.Duration
	}
}

// newTimetable returns a timetable, where last is the newest snapshot's time. A run is due at once if the schedule had a
// time since last, if last is zero (there is no snapshot), or if last is in the future and so gives no information.
func newTimetable(j *Job, last, now time.Time) *timetable {
	a := &timetable{
		schedule: j.Schedule, jitter: j.Jitter, together: j.Together, lastNow: now,
		onDemand: j.OnDemand, once: j.OnDemand && j.Task != "",
	}
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

// plan sets the next due time after a given one.
func (a *timetable) plan(after time.Time) {
	a.delay = 0
	if a.onDemand {
		return
	}
	a.due = a.schedule.Next(after)
	switch {
	case a.jitter <= 0:
	case a.together == "":
		a.delay = rand.N(a.jitter)
	default:
		a.delay = time.Duration(maphash.Comparable(seed, appointment{a.together, a.due.UnixNano()}) % uint64(a.jitter))
	}
}

// seed makes the delays of this process differ from those of other hosts.
var seed = maphash.MakeSeed()

// appointment is the common part of jobs that have the same delay.
type appointment struct {
	together string
	due      int64
}

// next returns the time of the next run, and false if there is none.
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

// wait returns how long to sleep before calling it again. It returns 0 if the job is due.
func (a *timetable) wait(now time.Time) time.Duration {
	if !now.After(a.lastNow.Add(-recheck)) {
		a.plan(now)
		a.overdueSince = time.Time{}
		if a.failures > 0 && !a.once {
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

// setOverdue records that a run is due since now, unless one is due already.
func (a *timetable) setOverdue(now time.Time) {
	if a.overdueSince.IsZero() {
		a.overdueSince = now
	}
}

// catchUp sets, at the start, since when a run is due: the first scheduled time after the last success. That
// success may be later than the newest snapshot, if it found nothing new.
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

// began records that a run begins. The run covers all due times up to now.
func (a *timetable) began(now time.Time) {
	a.retry = time.Time{}
	if a.due.IsZero() || a.due.After(now) {
		return // the run was requested, or is a retry
	}
	a.setOverdue(a.due)
	// From the due time, not from now: otherwise @every would drift by the jitter.
	a.plan(a.due)
	if !a.due.IsZero() && !a.due.After(now) {
		a.plan(now)
	}
}

// ended records a run's result.
func (a *timetable) ended(now time.Time, o outcome) {
	switch o {
	case succeeded:
		a.failures = 0
		a.overdueSince = time.Time{}
	case failed:
		a.failures++
		if !a.once {
			a.retry = now.Add(backoff(a.failures))
			a.setOverdue(now)
		}
	}
}

// resumed records that a pause ended. A run whose time passed is due now, and was not expected before.
func (a *timetable) resumed(now time.Time) {
	if !a.retry.IsZero() && a.retry.Before(now) {
		a.retry = now
	}
	if !a.due.IsZero() && a.due.Before(now) {
		a.due, a.delay = now, 0
	}
	if !a.overdueSince.IsZero() {
		a.overdueSince = now
	}
	// lastNow stays, so that wait detects a clock that was set back during the pause.
}

// deadline returns the deadline of the next successful run; after it the job is overdue. It returns the zero time
// if no run is expected. A run has half the interval to the next scheduled time, at least a minute and at most an
// hour, plus three times the duration of the last successful run.
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

// maxGaps is the number of scheduled runs whose distances are compared: a week of daily runs has its weekend in them.
const maxGaps = 16

// interval returns the longest time between two of the next scheduled runs; 0 if there are none. It computes that once
// for each due time, as it is called at every sleep.
func (a *timetable) interval() time.Duration {
	if !a.due.Equal(a.gap.due) {
		a.gap.due, a.gap.longest = a.due, a.longestGap()
	}
	return a.gap.longest
}

func (a *timetable) longestGap() (longest time.Duration) {
	at := a.due
	for range maxGaps {
		if at.IsZero() {
			break
		}
		after := a.schedule.Next(at)
		if after.IsZero() {
			break
		}
		longest, at = max(longest, after.Sub(at)), after
	}
	return longest
}

// backoff returns the delay after a number of failures in a row: one second, doubling up to an hour. Each delay is
// shortened at random by up to a fifth, so that jobs that failed at the same time do not retry at the same time.
func backoff(failures int64) time.Duration {
	d := lastRetry
	if shift := failures - 1; shift < 12 { // 2^12 s are more than an hour
		d = min(d, firstRetry<<shift)
	}
	return d - rand.N(d/5)
}
