package values

import (
	"time"
)

// VerifyFindings is what a verify of the whole archive found, on this host or another.
type VerifyFindings struct {
	At        time.Time // when the verify began
	Objects   int64     // the number of objects that it checked
	Bytes     int64     // stored bytes of these objects
	ReadBytes int64     // plain bytes that were read back
	Problems  int64
	First     []Problem // the first of the problems, at most maxFirst
}

// WhyRebuilt is the reason of the holds in a record that replaces a damaged one.
const WhyRebuilt = "the ledger was damaged, and may have held this one"

// Renewed is a snapshot that a repair made. It has the files of the newest snapshot, and stores lost content again.
type Renewed struct {
	Snapshot int64 `json:"snapshot"` // the number of the new snapshot
	Files    int   `json:"files"`    // files whose content was stored again
	Bytes    int64 `json:"bytes"`    // their plain bytes
}

// Coverage is how much of an archive was ever read back and found intact, and when.
type Coverage struct {
	Objects   int       `json:"objects"`        // data objects and bundles that the snapshots need
	Bytes     int64     `json:"bytes"`          // stored bytes of these objects
	Read      int       `json:"read"`           // the number of these objects that were ever read back
	Since     time.Time `json:"since,omitzero"` // the oldest time at which one of them was last read back
	ReadBytes int64     `json:"read_bytes"`     // stored bytes of the objects that were ever read back
}

// Damage is a log file that was damaged when it was archived.
type Damage struct {
	File      string  `json:"file"`
	Snapshots []int64 `json:"snapshots"` // the snapshots with this file, ascending
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	Snapshots     int       `json:"snapshots"`                // snapshots that were checked
	Objects       int       `json:"objects"`                  // objects that these snapshots need
	Bytes         int64     `json:"bytes"`                    // stored bytes of these objects
	ReadObjects   int       `json:"read_objects"`             // objects that were fetched and hashed
	ReadBytes     int64     `json:"read_bytes"`               // plain bytes that were fetched and hashed
	ReadStored    int64     `json:"read_stored"`              // stored bytes of these objects; bundles count in full
	Unopened      int       `json:"unopened"`                 // parts not decrypted for lack of an identity
	UnopenedBytes int64     `json:"unopened_bytes"`           // plain bytes of these parts; their hash was not checked
	Recipients    []string  `json:"recipients,omitempty"`     // recipients whose identities decrypt these parts
	Compared      int       `json:"compared"`                 // objects whose provider checksum was compared
	Uncompared    int       `json:"uncompared"`               // objects without a comparable checksum, such as bundles
	Frozen        int       `json:"frozen,omitempty"`         // objects that must be thawed before a restore
	FrozenClasses []string  `json:"frozen_classes,omitempty"` // the storage classes of these
	Unthawed      int       `json:"unthawed,omitempty"`       // objects that were to be read back, and must be thawed first
	Unreferenced  int       `json:"unreferenced"`             // orphans: objects that no snapshot names
	Ignored       []string  `json:"ignored,omitempty"`        // keys of manifests and records that count for nothing
	Blocked       []string  `json:"blocked,omitempty"`        // what is in the way of the next objects, in words
	Nested        []Nested  `json:"nested"`                   // archives among this one's objects; counted only here
	Coverage      Coverage  `json:"coverage"`                 // with Sample, ReadData or Proof, and without Snapshots
	Repaired      []Problem `json:"repaired"`                 // problems that a repair has repaired
	Renewed       *Renewed  `json:"renewed,omitempty"`        // the snapshot that a repair made, with lost content again
	Unproven      string    `json:"unproven,omitempty"`       // why the verification record could not be stored
	Damaged       []Damage  `json:"damaged"`                  // log files that were damaged when archived, by name
	Problems      []Problem `json:"problems"`
}
