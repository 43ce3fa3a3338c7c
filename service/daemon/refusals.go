package daemon

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
)

// maxDetail bounds the saved part of a guard's message, in bytes.
const maxDetail = 4 << 10

// refusals are the findings of guards in one archive's jobs, with the operators' confirmations. They survive
// reloads and restarts. Its methods are safe for concurrent use.
type refusals struct {
	about string // their archive, source and node

	mu   sync.Mutex
	save func(keptRefusals)  // does not wait for a disk; nil disables saving
	jobs map[string]*refused // by the job's task, empty for backup; only jobs that a guard stops
	over map[string]bool     // by task: a run has succeeded since the start
}

// refused is a job whose last complete run a guard ended.
type refused struct {
	Confirmation string    `json:"confirmation"` // the text that accepts the finding
	Detail       string    `json:"detail"`
	Since        time.Time `json:"since"`

	// Accepted has the time of each confirmation that was given and not used. There may be several: the same state
	// of an archive can trip several guards, one after the other.
	Accepted map[string]time.Time `json:"accepted,omitempty"`
}

// keptRefusals is the content of the state file.
type keptRefusals struct {
	About string              `json:"about"`
	Jobs  map[string]*refused `json:"jobs"`
}

// newRefusals returns the refusals that were kept, if they have the same about.
func newRefusals(about string, kept keptRefusals, save func(keptRefusals)) *refusals {
	r := &refusals{about: about, save: save, jobs: map[string]*refused{}, over: map[string]bool{}}
	if kept.About != about {
		return r
	}
	for task, j := range kept.Jobs {
		if j == nil {
			continue
		}
		if _, err := archive.ParseConfirmation(j.Confirmation); err == nil {
			r.jobs[task] = j
		}
	}
	return r
}

// add adds the refusals that were kept, and were read after runs had begun. A success since then ends a refusal. The
// same refusal since then keeps the confirmations.
func (r *refusals) add(kept keptRefusals) {
	late := newRefusals(r.about, kept, nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	for task, was := range late.jobs {
		switch j := r.jobs[task]; {
		case j == nil && !r.over[task]:
			r.jobs[task] = was
		case j != nil && j.Confirmation == was.Confirmation:
			j.Since = was.Since
			if j.Accepted == nil {
				j.Accepted = was.Accepted
			}
		}
	}
	if len(late.jobs) > 0 {
		r.keep()
	}
}

// keep saves the state, with r.mu held.
func (r *refusals) keep() {
	if r.save != nil {
		r.save(keptRefusals{r.about, r.jobs})
	}
}

// retire stops r from writing the file, which belongs to its successor from now on.
func (r *refusals) retire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.save = nil
}

// only drops the refusals of jobs that do not exist any more.
func (r *refusals) only(tasks []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.jobs)
	maps.DeleteFunc(r.jobs, func(task string, _ *refused) bool { return !slices.Contains(tasks, task) })
	if len(r.jobs) != before {
		r.keep()
	}
}

// carry returns the confirmations for a run of a job.
func (r *refusals) carry(task string) archive.Acceptance {
	r.mu.Lock()
	defer r.mu.Unlock()
	var a archive.Acceptance
	if j := r.jobs[task]; j != nil {
		for _, s := range slices.Sorted(maps.Keys(j.Accepted)) {
			if c, err := archive.ParseConfirmation(s); err == nil {
				a.Confirmed = append(a.Confirmed, c)
			}
		}
	}
	return a
}

// pending returns the confirmation that a job waits for, or nil.
func (r *refusals) pending(task string) []archive.Confirmation {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.jobs[task]
	if j == nil {
		return nil
	}
	c, err := archive.ParseConfirmation(j.Confirmation)
	if err != nil {
		return nil
	}
	return []archive.Confirmation{c}
}

// accept stores a confirmation if a job waits for it, and returns that job's task.
func (r *refusals) accept(c archive.Confirmation, now time.Time) (task string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for task, j := range r.jobs {
		if j.Confirmation != c.String() {
			continue
		}
		if _, twice := j.Accepted[j.Confirmation]; twice {
			return task, true
		}
		if j.Accepted == nil {
			j.Accepted = map[string]time.Time{}
		}
		j.Accepted[j.Confirmation] = now
		r.keep()
		return task, true
	}
	return "", false
}

// ended records a run's result. A success drops the job's refusal and its confirmations; a refusal replaces the
// previous one. Any other error changes nothing, since the confirmations remain valid for the same state of the
// archive. isNew reports whether the refusal differs from the previous one.
func (r *refusals) ended(task string, carried archive.Acceptance, run error, now time.Time) (isNew bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.jobs[task]
	if run == nil {
		r.over[task] = true
		if was != nil {
			delete(r.jobs, task)
			r.keep()
		}
		return false
	}
	found, ok := errors.AsType[*archive.Refusal](run)
	if !ok {
		return false
	}
	next := &refused{Confirmation: found.Confirmation.String(), Detail: bounded(found.Error()), Since: now}
	if was != nil && was.Confirmation == next.Confirmation {
		next.Since = was.Since
	}
	if was != nil {
		next.Accepted = stillGood(was.Accepted, found.Confirmation, carried)
	}
	r.jobs[task] = next
	r.keep()
	return was == nil || was.Confirmation != next.Confirmation
}

// stillGood returns the confirmations for the same state of the archive as the last refusal. It drops the
// confirmation of that refusal if the refused run had already used it.
func stillGood(
	accepted map[string]time.Time, last archive.Confirmation, carried archive.Acceptance,
) (good map[string]time.Time) {
	for s, at := range accepted {
		c, err := archive.ParseConfirmation(s)
		if err != nil || c.Plan != last.Plan || c == last && slices.Contains(carried.Confirmed, c) {
			continue
		}
		if good == nil {
			good = map[string]time.Time{}
		}
		good[s] = at
	}
	return good
}

func bounded(s string) string {
	if len(s) > maxDetail {
		s = strings.ToValidUTF8(s[:maxDetail], "") + " …"
	}
	return s
}
