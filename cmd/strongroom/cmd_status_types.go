package main

import (
	"time"

	"github.com/strongroom-dev/strongroom/service/web"
)

// status is what is known of all archives.
type status struct {
	Service  bool            `json:"service"` // it runs, and said this
	Archives []archiveStatus `json:"archives"`
}

// archiveStatus is one archive's, with the names that the API has.
type archiveStatus struct {
	Name               string        `json:"name"`
	State              web.State     `json:"state"`
	Destination        string        `json:"destination"`
	Running            bool          `json:"running"`
	LastSuccess        *time.Time    `json:"last_success"`
	NextRun            *time.Time    `json:"next_run"`
	RecoverableThrough *recovery     `json:"recoverable_through"`
	Behind             *behind       `json:"behind"` // null: not known
	Damaged            []string      `json:"damaged"`
	LastFailure        *failedLast   `json:"last_failure"`
	FailuresInRow      int64         `json:"failures_in_row"`
	LastVerification   *verification `json:"last_verification"` // this and tasks: null without a service
	LastDrill          *drillStatus  `json:"last_drill"`
	Tasks              []taskStatus  `json:"tasks"`

	NeedsConfirmation []confirmationStatus `json:"needs_confirmation"` // null without a service

	Error string `json:"error,omitempty"` // why nothing is known; only without a service

	unsound bool // by the last verify or drill; only without a service
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

type failedLast struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

type verification struct {
	At       time.Time `json:"at"`
	Problems int64     `json:"problems"`
	Found    []string  `json:"found"` // the first of them
}

type drillStatus struct {
	At       time.Time `json:"at"`
	Snapshot int64     `json:"snapshot"`
	Error    string    `json:"error"` // empty: it went well
}

// taskStatus is what is done beside snapshots, such as prune.
type taskStatus struct {
	Name          string      `json:"name"`
	LastSuccess   *time.Time  `json:"last_success"`
	LastFailure   *failedLast `json:"last_failure"`
	FailuresInRow int64       `json:"failures_in_row"`
}

// confirmationStatus is what a guard found that stops runs.
type confirmationStatus struct {
	Confirmation string     `json:"confirmation"`
	Guard        string     `json:"guard"`
	Task         string     `json:"task"` // backup or prune
	Detail       string     `json:"detail"`
	Since        time.Time  `json:"since"`
	ConfirmedAt  *time.Time `json:"confirmed_at"` // null: not yet
}
