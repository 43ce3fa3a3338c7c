package values

import (
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Errors that operations return in addition to those of the store; test with errors.Is.
var (
	// ErrNoArchive: nothing was ever archived here.
	ErrNoArchive = errors.New("there is no archive here")
	// ErrNoSnapshot: the archive has no snapshot that fits the selector.
	ErrNoSnapshot = errors.New("no such snapshot")
	// ErrNoFile: the snapshot has no such file.
	ErrNoFile = errors.New("no such file in the snapshot")
	// ErrDamaged: an object that the archive should hold is missing, or differs from what was stored.
	ErrDamaged = errors.New("the archive is damaged")
	// ErrLostRace: other writers kept taking the sequence number.
	ErrLostRace = errors.New("another writer committed first")
	// ErrEmptySource: the source holds no log file at all.
	ErrEmptySource = errors.New("the source is empty")
	// ErrRolledBack: the source ends before the archive does.
	ErrRolledBack = errors.New("the source was rolled back")
	// ErrMissingFiles: closed log files are gone, and nothing shows that the database deleted them.
	ErrMissingFiles = errors.New("log files of the source are missing")
	// ErrForked: the source and the archive have the same beginning, and differ since.
	ErrForked = errors.New("the source has another history than the archive")
	// ErrForeign: the source is not the one that the archive belongs to.
	ErrForeign = errors.New("the source does not belong to this archive")
	// ErrUnsteady: the source changed faster than it could be read.
	ErrUnsteady = errors.New("the source keeps changing")
	// ErrPruneLimit: a prune would remove more snapshots than its limit allows.
	ErrPruneLimit = errors.New("the prune would remove more snapshots than its limit allows")
)

// ErrNoIdentity reports that content is encrypted, and that none of the given identities decrypts it.
var ErrNoIdentity = encoding.ErrNoIdentity

// ErrFreezes reports that an operation needs to read back what it stores, and the store's settings put log content in a
// class from which it must be thawed.
var ErrFreezes = errors.New("the address stores log content in a class from which it must be thawed before it can be read")

// ErrNoCopy reports that the target of a copy holds something other than an earlier copy of the source. The source's
// snapshots cannot be added to it.
var ErrNoCopy = errors.New("the target is not a copy of this archive")

// ErrDrillFailed reports that the test restore of a snapshot failed, or that the restored files failed the user's
// check.
var ErrDrillFailed = errors.New("the drill failed")

// ErrLostID reports that archive.json is missing beside manifests. It is created before any manifest and never deleted,
// so its removal suggests that more may be gone. It wraps ErrDamaged.
var ErrLostID = fmt.Errorf(
	"%s is missing beside the manifests, so more of the archive may be gone; is this the right disk? (%w)",
	manifest.ArchiveKey, ErrDamaged,
)

// ErrNested reports that an archive lies, or would lie, within another one: below its prefix.
var ErrNested = errors.New("one archive would lie within another")

// ErrHoldsArchives reports an address that has no archive itself, and archives below it. It is in an ErrNoArchive.
var ErrHoldsArchives = errors.New("there are archives below this address")

// ErrWithin reports an address that has no archive itself, and lies within one. It is in an ErrNoArchive.
var ErrWithin = errors.New("this address lies within an archive")

// Errors of directories that must be apart; test with errors.Is.
var (
	// ErrOverlap: a source, a target or a copy is the archive's directory, is within it, or contains it.
	ErrOverlap = errors.New("the directories are one within the other")
	// ErrBadTarget: a restore cannot write to the directory.
	ErrBadTarget = errors.New("nothing can be restored there")
)

// ErrNoThaw means that the objects cannot be thawed in the way that was requested.
var ErrNoThaw = errors.New("the objects cannot be thawed like that")
