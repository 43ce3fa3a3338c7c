package values

import (
	"github.com/strongroom-dev/strongroom/archive/cost"
)

// RestoreOptions are the options of Restore. The zero value restores all files to an empty directory.
type RestoreOptions struct {
	// Include are path.Match patterns of whole names, or of base names if they contain no slash; or ranges,
	// such as 00000010.jdb..0000001f.jdb. A pattern that begins with ./ is of whole names too, and ./ is no part of
	// them. An empty list includes all files.
	Include   []string
	DryRun    bool // report what would be done; it reads only the target's file names, and writes nothing
	Overwrite bool // accept a target with files; right files are kept, or replaced as counted in RestoreResult.Replaced
	// DeleteExtra deletes log files in the target that the snapshot does not have. Without it, Restore deletes
	// only those of an interrupted restore that it continues.
	DeleteExtra bool
	// Also are the ids of other archives of the same database. Restore continues an interrupted restore from one of
	// them, as it does one from its own archive: a destination may fail in the middle of a restore.
	Also []string
	// Thaw makes the restore request the thaw of objects that must be thawed, and wait until they can be read, which may
	// take days. If it is nil, the error is a FrozenError, and a restore that meets no thawed object writes nothing.
	Thaw *ThawOptions
	// Object is called in a dry run with each object that would be read, in the order of the keys; nil disables it.
	Object func(ObjectRead)
}

// ObjectRead is what a restore reads of one object.
type ObjectRead struct {
	Key      string `json:"key"`
	Class    string `json:"class"`    // the storage class; empty if the provider reports none
	Frozen   bool   `json:"frozen"`   // it must be thawed first
	Thawing  bool   `json:"thawing"`  // its thaw is under way
	Size     int64  `json:"size"`     // of the whole object, which a thaw is billed by; 0 if it was not requested
	Missing  bool   `json:"missing"`  // the store does not have it
	Bytes    int64  `json:"bytes"`    // as they are transferred
	Requests int64  `json:"requests"` // that read them at most
}

// ReadPlan is what a restore reads.
type ReadPlan struct {
	Reads   []cost.Read // by kind and storage class, without the missing objects
	Missing int         // the objects that the store does not have
	// ClassesUnknown means that the storage classes were not read, so that no price is known: Reads then has all
	// objects without a class, and Missing is 0.
	ClassesUnknown bool
}
