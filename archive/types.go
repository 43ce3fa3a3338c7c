package archive

import "github.com/strongroom-dev/strongroom/archive/values"

// The types of this file have their fields in package values: "go doc archive/values.BackupOptions" shows those of
// BackupOptions.

// Options, plans and results of backups.
type (
	// BackupOptions configures Backup.
	BackupOptions = values.BackupOptions
	// BackupResult reports what a backup did.
	BackupResult = values.BackupResult
	// Source is the database's directory as Backup reads it.
	Source = values.Source
	// Plan is what a backup would do, judged by names, sizes and times.
	Plan = values.Plan
	// Changed is a closed file whose content differs from the parent snapshot's.
	Changed = values.Changed
	// Omission is a file of the source that matches the layout and is not in the snapshot.
	Omission = values.Omission
	// Pending describes the files that changed since the newest snapshot.
	Pending = values.Pending
)

// What guards found, and what of that an operator accepts.
type (
	// A Refusal is the error of a guard.
	Refusal = values.Refusal
	// A Confirmation accepts one finding of one guard, once.
	Confirmation = values.Confirmation
	// Acceptance is what an operator has accepted before a run.
	Acceptance = values.Acceptance
)

// Snapshots, as listings and selections have them.
type (
	// Snapshot is one line of a listing.
	Snapshot = values.Snapshot
	// Selector names a snapshot.
	Selector = values.Selector
	// UnreadableError is the error for a snapshot, selected as the newest or by a time, whose manifest cannot be read.
	UnreadableError = values.UnreadableError
	// Difference is what changed from one snapshot to another, each list in name order.
	Difference = values.Difference
	// Change is one file before and after.
	Change = values.Change
	// NotArchived is a local file whose current content is not in a snapshot, and the reason.
	NotArchived = values.NotArchived
	// Nested is an archive that lies within another one.
	Nested = values.Nested
	// Below is an archive below an address that is none itself.
	Below = values.Below
)

// Options and results of restores, thaws and drills.
type (
	// RestoreOptions are the options of Restore.
	RestoreOptions = values.RestoreOptions
	// RestoreResult is what a restore did.
	RestoreResult = values.RestoreResult
	// Begun is a snapshot whose restore began in a directory and did not end.
	Begun = values.Begun
	// ObjectRead is what a restore reads of one object.
	ObjectRead = values.ObjectRead
	// ReadPlan is what a restore reads.
	ReadPlan = values.ReadPlan
	// ThawOptions configures a thaw.
	ThawOptions = values.ThawOptions
	// ThawPlan is what must be thawed before something can be read.
	ThawPlan = values.ThawPlan
	// TierTime is how long a tier takes.
	TierTime = values.TierTime
	// FrozenError is the error of an operation that would read objects which must be thawed first.
	FrozenError = values.FrozenError
	// DrillOptions configures Drill.
	DrillOptions = values.DrillOptions
	// DrillReport is the result of a drill.
	DrillReport = values.DrillReport
)

// What verifies and repairs found and did.
type (
	// VerifyReport is what Verify found.
	VerifyReport = values.VerifyReport
	// Problem is one thing that is wrong with an archive.
	Problem = values.Problem
	// ProblemKind is what is wrong with an object.
	ProblemKind = values.ProblemKind
	// Damage is a log file that was damaged when it was archived.
	Damage = values.Damage
	// Coverage is how much of an archive was ever read back and found intact, and when.
	Coverage = values.Coverage
	// VerifyFindings is what a verify of the whole archive found, on this host or another.
	VerifyFindings = values.VerifyFindings
	// Renewed is a snapshot that a repair made.
	Renewed = values.Renewed
)

// Options and reports of prunes and copies.
type (
	// PruneOptions are the options of Prune.
	PruneOptions = values.PruneOptions
	// PruneReport is what a prune did, or what a dry run would do.
	PruneReport = values.PruneReport
	// PruneCounts counts objects by kind.
	PruneCounts = values.PruneCounts
	// Pruned is an object that a prune deletes, with the reason.
	Pruned = values.Pruned
	// CopyOptions configures Copy.
	CopyOptions = values.CopyOptions
	// CopyReport reports what a copy did, or what a dry run would do.
	CopyReport = values.CopyReport
)

// What an operation has done so far, and the limit that several archives share.
type (
	// Progress counts what an operation has done so far.
	Progress = values.Progress
	// Limiter limits how many files several archives together read, send or fetch concurrently.
	Limiter = values.Limiter
)

// The kinds of change. All but the last are determined from the files' entries.
const (
	ChangedErased    = values.ChangedErased
	ChangedInvisible = values.ChangedInvisible
	ChangedBoth      = values.ChangedBoth
	ChangedDamage    = values.ChangedDamage
	ChangedMended    = values.ChangedMended
	ChangedOther     = values.ChangedOther
)

// The kinds of problems.
const (
	ProblemMissing    = values.ProblemMissing
	ProblemSize       = values.ProblemSize
	ProblemChecksum   = values.ProblemChecksum
	ProblemContent    = values.ProblemContent
	ProblemManifest   = values.ProblemManifest
	ProblemChain      = values.ProblemChain
	ProblemLocalState = values.ProblemLocalState
)

// Defaults and limits.
const (
	DefaultWhy      = values.DefaultWhy
	WhyRebuilt      = values.WhyRebuilt
	MaxThawDays     = values.MaxThawDays
	DefaultThawDays = values.DefaultThawDays
)
