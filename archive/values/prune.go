package values

import (
	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/retention"
)

// PruneOptions are the options of Prune.
type PruneOptions struct {
	// Retention decides which snapshots are kept. Nil keeps all snapshots, and deletes only the objects that
	// no snapshot needs.
	Retention *retention.Policy
	// Forget lists snapshots with unreadable manifests that are dropped anyway. While one of them is kept,
	// nothing can be deleted.
	Forget []int64
	// DryRun plans everything and changes nothing.
	DryRun bool

	// Limit bounds how many of the snapshots kept by the last prune are removed. Above it, Prune removes
	// nothing and returns a Refusal, which wraps ErrPruneLimit. If no prune has written a ledger record yet,
	// all snapshots count. A dry run puts the Refusal into its report instead. The zero value disables the
	// limit.
	Limit retention.Limit
	// FirstRecord makes Prune write a ledger record even if it removes nothing, unless an earlier prune has
	// written one. The limit of later prunes counts from this record.
	FirstRecord bool

	Acceptance // what an operator accepted that a limited prune would refuse
	// Waiting are refusals that an operator may still confirm. While one of them is valid, a refusal repeats
	// it, regardless of how many snapshots were made since.
	Waiting []Confirmation

	// Object is called with each object that is deleted, or would be deleted in a dry run; nil disables it.
	// Calls are sequential.
	Object func(Pruned)
}

// Pruned is an object that a prune deletes, with the reason.
type Pruned struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // as stored, in bytes
	Why  string `json:"why"`
}

// PruneReport is what a prune did, or what a dry run would do.
type PruneReport struct {
	Verdicts []retention.Verdict `json:"-"`        // on each snapshot, ascending; without retention they keep all
	Record   int64               `json:"record"`   // the ledger record in force; 0 if a dry run would write one
	Newest   int64               `json:"newest"`   // the newest snapshot; objects with greater numbers are not deleted
	Removed  []int64             `json:"removed"`  // snapshots that this prune dropped, ascending
	Deleted  PruneCounts         `json:"deleted"`  // objects deleted, or to be deleted in a dry run
	Classes  []cost.Stored       `json:"classes"`  // what Deleted counts, by storage class
	Failed   PruneCounts         `json:"failed"`   // objects not deleted, such as locked ones; a later prune retries
	Failures []string            `json:"failures"` // the store's first errors for these objects
	Missing  int                 `json:"missing"`  // missing objects of kept snapshots; similar names are not deleted
	Foreign  int                 `json:"foreign"`  // objects in data/, bundles/ and pages/ with other keys; not deleted
	Nested   []Nested            `json:"nested"`   // archives within this one, by prefix; nothing in them is deleted
	Within   string              `json:"within"`   // the address of an archive around this one; empty if none is known

	Refused *Refusal `json:"-"` // in a dry run, what the limit would refuse; nil if nothing
}

// PruneCounts counts objects by kind.
type PruneCounts struct {
	Manifests int   `json:"manifests"`
	Objects   int   `json:"objects"` // data objects, bundles and pages
	Records   int   `json:"records"` // of the ledger
	Proofs    int   `json:"proofs"`
	Bytes     int64 `json:"bytes"` // of all of them, as stored
}

// All is the number of objects of all kinds.
func (c PruneCounts) All() int { return c.Manifests + c.Objects + c.Records + c.Proofs }
