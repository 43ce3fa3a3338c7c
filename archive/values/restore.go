package values

import (
	"time"

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

// RestoreResult is what a restore did.
type RestoreResult struct {
	Files    int   // the number of files to restore, including those already present
	Bytes    int64 // the plain size of these files
	Fetched  int   // files that were fetched
	Skipped  int   // files whose content in the target was right already, and which were kept
	Replaced int   // files with the right content that were replaced: others own, may write or share them
	Requests int   // in a dry run: the reads that the files need at most
	// ReadPlan is in a dry run what is read if the target has none of the files. A store without storage classes is not
	// searched for missing objects.
	ReadPlan
	Thaw *ThawPlan // in a dry run: what must be thawed, if the target has none of the files; nil if nothing must
	// ThawUnknown is in a dry run why it is not known, or not exactly, what must be thawed; empty if it is.
	ThawUnknown string
	Free        int64    // in a dry run: the free bytes on the target's file system; -1 if unknown
	Damaged     []string // files that were damaged when they were archived
	// FetchedBytes is the plain size of the fetched files, and Took how long it took until all files were durable,
	// without the wait for thaws.
	FetchedBytes int64
	Took         time.Duration
	Removed      []string // extra files that were deleted, or would be in a dry run
	// Continued are the snapshots whose interrupted restores this one continued, the last one last.
	Continued []Begun
}

// Begun is a snapshot whose restore began in a directory and did not end. Its Sequence is 0 if the marker of that
// restore cannot be read.
type Begun struct {
	Archive  string    `json:"archive"`
	Sequence int64     `json:"sequence"`
	Created  time.Time `json:"created"` // when the snapshot was made; zero if the marker is of an older version
}
