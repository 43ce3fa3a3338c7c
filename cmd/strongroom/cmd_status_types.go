package main

import (
	"time"

	"github.com/strongroom-dev/strongroom/service/web"
)

// status is the state of all archives.
type status struct {
	Service  bool            `json:"service"` // whether the running service reported it
	Archives []archiveStatus `json:"archives"`
}

// archiveStatus is the state of one archive. Its JSON names are those of the API.
type archiveStatus struct {
	Name               string        `json:"name"`
	State              web.State     `json:"state"`
	Destination        string        `json:"destination"`
	Running            bool          `json:"running"`
	Waiting            bool          `json:"waiting"` // for a run to end, of this archive or of others
	LastSuccess        *time.Time    `json:"last_success"`
	NextRun            *time.Time    `json:"next_run"`
	RecoverableThrough *recovery     `json:"recoverable_through"`
	Behind             *behind       `json:"behind"` // null if unknown
	Damaged            []string      `json:"damaged"`
	LeftOut            leftOutStatus `json:"left_out"`
	LastFailure        *failedLast   `json:"last_failure"`
	FailuresInRow      int64         `json:"failures_in_row"`
	LastVerification   *verification `json:"last_verification"` // null without a service, like tasks
	LastDrill          *drillStatus  `json:"last_drill"`
	Tasks              []taskStatus  `json:"tasks"`

	Paused            *pauseStatus         `json:"paused"`             // null if it is not paused, or without a service
	NeedsConfirmation []confirmationStatus `json:"needs_confirmation"` // null without a service

	Error string `json:"error,omitempty"` // why the state is unknown; only without a service

	unsound bool  // the last verify or drill failed; only without a service
	cause   error // why the archive counts as damaged, if it cannot be read; only without a service
}

type recovery struct {
	At   time.Time `json:"at"`
	File string    `json:"file"`
	Size int64     `json:"size"`
}

type behind struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// leftOutStatus is the files of the source that match the layout and are not archived.
type leftOutStatus struct {
	Files int64            `json:"files"`
	Some  []leftOutExample `json:"some"` // the first ones
}

type leftOutExample struct {
	Name string `json:"name"`
	Why  string `json:"why"` // "" if it is unknown
}

type failedLast struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

type verification struct {
	At       time.Time `json:"at"`
	Problems int64     `json:"problems"`
	Unthawed int64     `json:"unthawed"` // objects that could not be read back before a thaw
	Found    []string  `json:"found"`    // the first problems
}

type drillStatus struct {
	At       time.Time `json:"at"`
	Snapshot int64     `json:"snapshot"`
	Error    string    `json:"error"` // "" if the drill succeeded
}

// taskStatus is the state of a task other than snapshots, such as prune.
type taskStatus struct {
	Name          string      `json:"name"`
	LastSuccess   *time.Time  `json:"last_success"`
	LastFailure   *failedLast `json:"last_failure"`
	FailuresInRow int64       `json:"failures_in_row"`
}

// confirmationStatus is a guard's finding that stops runs until an operator accepts it.
type confirmationStatus struct {
	Confirmation string     `json:"confirmation"`
	Guard        string     `json:"guard"`
	Task         string     `json:"task"` // backup or prune
	Detail       string     `json:"detail"`
	Since        time.Time  `json:"since"`
	ConfirmedAt  *time.Time `json:"confirmed_at"` // null if not accepted yet
}

// pauseStatus is why no run of an archive begins.
type pauseStatus struct {
	Since  time.Time `json:"since"`
	By     string    `json:"by"`
	Reason string    `json:"reason"` // "" if none was given
}

// text describes the pause, without a verb.
func (p *pauseStatus) text() string {
	s := "since " + stamp(p.Since) + " by " + sanitizeTerminal(p.By)
	if p.Reason != "" {
		s += ": " + sanitizeTerminal(p.Reason)
	}
	return s
}
