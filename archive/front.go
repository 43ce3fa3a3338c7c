package archive

import (
	"context"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/internal/snapshots"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// Types of package values.
type (
	// Damage is a log file that was damaged when it was archived.
	Damage = values.Damage
	// VerifyReport is what Verify found.
	VerifyReport = values.VerifyReport
	// Limiter limits how many files several archives together read, send or fetch concurrently.
	Limiter = values.Limiter
	// NotArchived is a local file whose current content is not in a snapshot, and the reason.
	NotArchived = values.NotArchived
	// BackupOptions configures Backup.
	BackupOptions = values.BackupOptions
	// BackupResult reports what a backup did.
	BackupResult = values.BackupResult
	// Omission is a file of the source that matches the layout and is not in the snapshot.
	Omission = values.Omission
	// A Confirmation accepts one finding of one guard, once.
	Confirmation = values.Confirmation
	// A Refusal is the error of a guard.
	Refusal = values.Refusal
	// Acceptance is what an operator has accepted before a run.
	Acceptance = values.Acceptance
	// CopyOptions configures Copy.
	CopyOptions = values.CopyOptions
	// CopyReport reports what a copy did, or what a dry run would do.
	CopyReport = values.CopyReport
	// Difference is what changed from one snapshot to another, each list in name order.
	Difference = values.Difference
	// Change is one file before and after.
	Change = values.Change
	// Changed is a closed file whose content differs from the parent snapshot's.
	Changed = values.Changed
	// Snapshot is one line of a listing.
	Snapshot = values.Snapshot
	// Nested is an archive that lies within another one.
	Nested = values.Nested
	// Below is an archive below an address that is none itself.
	Below = values.Below
	// Pending describes the files that changed since the newest snapshot.
	Pending = values.Pending
	// Source is the database's directory as Backup reads it.
	Source = values.Source
	// Plan is what a backup would do, judged by names, sizes and times.
	Plan = values.Plan
	// ProblemKind is what is wrong with an object.
	ProblemKind = values.ProblemKind
	// Problem is one thing that is wrong with an archive.
	Problem = values.Problem
	// Progress counts what an operation has done so far.
	Progress = values.Progress
	// VerifyFindings is what a verify of the whole archive found, on this host or another.
	VerifyFindings = values.VerifyFindings
	// PruneOptions are the options of Prune.
	PruneOptions = values.PruneOptions
	// Pruned is an object that a prune deletes, with the reason.
	Pruned = values.Pruned
	// PruneReport is what a prune did, or what a dry run would do.
	PruneReport = values.PruneReport
	// PruneCounts counts objects by kind.
	PruneCounts = values.PruneCounts
	// Renewed is a snapshot that a repair made.
	Renewed = values.Renewed
	// RestoreOptions are the options of Restore.
	RestoreOptions = values.RestoreOptions
	// ObjectRead is what a restore reads of one object.
	ObjectRead = values.ObjectRead
	// ReadPlan is what a restore reads.
	ReadPlan = values.ReadPlan
	// Selector names a snapshot.
	Selector = values.Selector
	// UnreadableError is the error for a snapshot, selected as the newest or by a time, whose manifest cannot be read.
	UnreadableError = values.UnreadableError
	// ThawOptions configures a thaw.
	ThawOptions = values.ThawOptions
	// ThawPlan is what must be thawed before something can be read.
	ThawPlan = values.ThawPlan
	// TierTime is how long a tier takes.
	TierTime = values.TierTime
	// FrozenError is the error of an operation that would read objects which must be thawed first.
	FrozenError = values.FrozenError
	// Coverage is how much of an archive was ever read back and found intact, and when.
	Coverage = values.Coverage
)

const (
	ChangedErased     = values.ChangedErased
	ChangedInvisible  = values.ChangedInvisible
	ChangedBoth       = values.ChangedBoth
	ChangedDamage     = values.ChangedDamage
	ChangedMended     = values.ChangedMended
	ChangedOther      = values.ChangedOther
	DefaultWhy        = values.DefaultWhy
	ProblemMissing    = values.ProblemMissing
	ProblemSize       = values.ProblemSize
	ProblemChecksum   = values.ProblemChecksum
	ProblemContent    = values.ProblemContent
	ProblemManifest   = values.ProblemManifest
	ProblemChain      = values.ProblemChain
	ProblemLocalState = values.ProblemLocalState
	WhyRebuilt        = values.WhyRebuilt
	MaxThawDays       = values.MaxThawDays
	DefaultThawDays   = values.DefaultThawDays
)

var (
	// ErrNoArchive: nothing was ever archived here.
	ErrNoArchive = values.ErrNoArchive
	// ErrNoSnapshot: the archive has no snapshot that fits the selector.
	ErrNoSnapshot = values.ErrNoSnapshot
	// ErrNoFile: the snapshot has no such file.
	ErrNoFile = values.ErrNoFile
	// ErrDamaged: an object that the archive should hold is missing, or differs from what was stored.
	ErrDamaged = values.ErrDamaged
	// ErrLostRace: other writers kept taking the sequence number.
	ErrLostRace = values.ErrLostRace
	// ErrEmptySource: the source holds no log file at all.
	ErrEmptySource = values.ErrEmptySource
	// ErrRolledBack: the source ends before the archive does.
	ErrRolledBack = values.ErrRolledBack
	// ErrMissingFiles: closed log files are gone, and nothing shows that the database deleted them.
	ErrMissingFiles = values.ErrMissingFiles
	// ErrForked: the source and the archive have the same beginning, and differ since.
	ErrForked = values.ErrForked
	// ErrForeign: the source is not the one that the archive belongs to.
	ErrForeign = values.ErrForeign
	// ErrUnsteady: the source changed faster than it could be read.
	ErrUnsteady = values.ErrUnsteady
	// ErrPruneLimit: a prune would remove more snapshots than its limit allows.
	ErrPruneLimit = values.ErrPruneLimit
	// ErrNoIdentity reports that content is encrypted, and that none of the given identities decrypts it.
	ErrNoIdentity = values.ErrNoIdentity
	// ErrFreezes reports that an operation needs to read back what it stores, and the store's settings put log content
	// in a class from which it must be thawed.
	ErrFreezes = values.ErrFreezes
	// ErrNoCopy reports that the target of a copy holds something other than an earlier copy of the source. The source's
	// snapshots cannot be added to it.
	ErrNoCopy = values.ErrNoCopy
	// ErrDrillFailed reports that the test restore of a snapshot failed, or that the restored files failed the user's
	// check.
	ErrDrillFailed = values.ErrDrillFailed
	// ErrLostID reports that archive.json is missing beside manifests. It is created before any manifest and never
	// deleted, so its removal suggests that more may be gone. It wraps ErrDamaged.
	ErrLostID = values.ErrLostID
	// ErrNested reports that an archive lies, or would lie, within another one: below its prefix.
	ErrNested = values.ErrNested
	// ErrHoldsArchives reports an address that has no archive itself, and archives below it. It is in an ErrNoArchive.
	ErrHoldsArchives = values.ErrHoldsArchives
	// ErrWithin reports an address that has no archive itself, and lies within one. It is in an ErrNoArchive.
	ErrWithin = values.ErrWithin
	// ErrOverlap: a source, a target or a copy is the archive's directory, is within it, or contains it.
	ErrOverlap = values.ErrOverlap
	// ErrBadTarget: a restore cannot write to the directory.
	ErrBadTarget = values.ErrBadTarget
	// ErrNoThaw means that the objects cannot be thawed in the way that was requested.
	ErrNoThaw = values.ErrNoThaw
)

// Archived checks whether the current content of local files is in a snapshot, by its hash and by the files' names
// below dir. It returns the files that are not archived. All others may be deleted, since the snapshot has all of their
// content. A database's cleaner relies on the result, so a file in doubt counts as not archived. Tails never count as
// archived, since the database still writes them. Archived reads back stored content that an earlier verify found
// damaged.
func (a *Archive) Archived(ctx context.Context, m *manifest.Manifest, dir string, files []string) ([]NotArchived, error) {
	return snapshots.Archived(ctx, a.repo, m, dir, files)
}

// CountEncrypted returns how many of these local files a snapshot stores encrypted, in whole or in part, and their
// plain bytes. For these files Archived compares hashes that were taken before the encryption. It does not check that
// the stored bytes decrypt to the same content.
func CountEncrypted(m *manifest.Manifest, dir string, files []string) (count int, bytes int64) {
	return snapshots.CountEncrypted(m, dir, files)
}

// NamesBelow returns the names that local files have in an archive of dir. It leaves out files that can have none: they
// do not exist, or do not lie below dir.
func NamesBelow(dir string, files []string) []string {
	return snapshots.NamesBelow(dir, files)
}

// ParseConfirmation reads what String returns.
func ParseConfirmation(s string) (Confirmation, error) {
	return values.ParseConfirmation(s)
}

// TakesBackups returns ErrFreezes if the settings of the store allow no Backup. It sends no request.
func (a *Archive) TakesBackups() error {
	return a.repo.TakesBackups()
}

// Diff compares two snapshots by the names, hashes and states of their files. It ignores where the content is stored.
func Diff(before, after *manifest.Manifest) Difference {
	return values.Diff(before, after)
}

// FindFrozen returns the storage class of objects that must be thawed before a restore can read them, and how many it
// found. It lists only the first objects with log content, so that it takes few requests: a rule of the bucket moves
// old objects, and log files have ascending names. The class is empty if it found none. It lists nothing of a store
// without storage classes, and finds nothing at a service that does not list in order.
func (a *Archive) FindFrozen(ctx context.Context) (class string, found int, _ error) {
	return thaw.FindFrozen(ctx, a.repo.Objects)
}

// CheckID returns ErrLostID if archive.json is missing. It is for an archive in which snapshots were found.
func (a *Archive) CheckID(ctx context.Context) error {
	return a.repo.CheckID(ctx)
}

// Hold protects a snapshot from every retention until it is released, and returns its number. Listings show why. An
// empty why keeps the reason of an existing hold, and otherwise means DefaultWhy. Errors: ErrNoArchive, ErrNoSnapshot,
// ErrLostRace.
func (a *Archive) Hold(ctx context.Context, which Selector, why string) (int64, error) {
	return snapshots.Hold(ctx, a.repo, which, why)
}

// Release ends the hold of a snapshot, and returns the snapshot's number. The next prune applies retention alone. A
// snapshot without a hold stays as it is. Errors: as for Hold.
func (a *Archive) Release(ctx context.Context, which Selector) (int64, error) {
	return snapshots.Release(ctx, a.repo, which)
}

// List returns the valid snapshots of the archive in ascending order; with last > 0, only the last ones. It
// reads only the first 4 KiB of each manifest. So it does not notice a manifest that was replaced under a
// number in the ledger; operations that read the whole manifest do. An unreadable manifest is listed with
// its Err and does not hide the others. Returns ErrNoArchive if there is no archive, and ErrDamaged if there was a
// snapshot and there is none any more.
func (a *Archive) List(ctx context.Context, last int) ([]Snapshot, error) {
	return snapshots.List(ctx, a.repo, last)
}

// IsArchiveKey reports whether a key begins like a key of an archive.
func IsArchiveKey(key string) bool {
	return nested.IsArchiveKey(key)
}

// Below returns the archives below an address that has none itself, in the order of their depth, then of their keys,
// with their newest snapshots. It does not search within archives. Complete reports whether the whole address was
// searched.
func (a *Archive) Below(ctx context.Context) (found []Below, complete bool, err error) {
	return snapshots.Below(ctx, a.repo)
}

// FindNested returns the prefix of a nested archive that an object may belong to, or "" if there is none. An
// archive begins at the prefix, and the rest of the key has the form of an archive's key. For most keys it
// sends no request. Stores use it for keys that listings do not show.
func FindNested(ctx context.Context, s store.Store, key string) (prefix string, err error) {
	return nested.FindNested(ctx, s, key)
}

// CheckOverlap returns ErrOverlap if a directory is that of an archive, is within it, or contains it: objects among log
// files, or log files among objects, endanger both. archiveDir is empty if the archive is in no directory of this host;
// see store.Local. what names the directory in the error, such as "the source".
func CheckOverlap(what, dir, archiveDir string) error {
	return repo.CheckOverlap(what, dir, archiveDir)
}

// CheckTarget returns ErrOverlap if the directory is not apart from the archive. It returns ErrBadTarget if it is in
// the local state, or has no name, which would mean the current directory. It sends no request. Restore begins with it.
func (a *Archive) CheckTarget(dir string) error {
	return a.repo.CheckTarget(dir)
}

// MakePlan compares the captured files with the parent snapshot; parent is nil for the first snapshot. A file
// counts as unchanged if its name, size, modification time and state match the parent's, and agrees returns
// true or is nil. Both lists must be in name order. It returns an error for a name or size that the format
// does not allow.
func MakePlan(captured []source.File, parent *manifest.Manifest, agrees func(*source.File, *manifest.File) bool) (Plan, error) {
	return scan.MakePlan(captured, parent, agrees)
}

// LatestProof returns the newest readable verification record of a kind; nil if there is none.
func (a *Archive) LatestProof(ctx context.Context, kind string) (*manifest.Proof, error) {
	return a.repo.Findings.LatestProof(ctx, kind)
}

// LastFindings returns what the latest verify of the archive with this id found; nil if there was none. The problems
// include those that only an earlier verify found, in objects that are still as they were then.
func (a *Archive) LastFindings(ctx context.Context, id string) (*VerifyFindings, error) {
	return a.repo.Findings.LastFindings(ctx, id)
}

// ParseSelector reads "latest", a sequence number, or a time as ParseTime does, in the local time zone of this host.
func ParseSelector(s string) (Selector, error) {
	return values.ParseSelector(s)
}

// ParseTime reads a time, and returns the last instant that it includes, for Selector.At.
//
//   - A time with an offset, such as 2026-11-22T23:00:00Z or "2026-11-22 23:00:00+01:00".
//   - A local time in zone, such as "2026-11-22 23:00:00", "2026-11-22 23:00" or 2026-11-22. It includes the whole
//     second, minute or day. If the clock was set back and showed a time twice, the first one counts. If the clock was
//     set forward and never showed it, the moment of that change counts. With time.Local, the variable TZ must name a
//     zone of the tz database, if it is set.
//   - A time before now, such as -2h, -90m, -1d12h or -2w. A day has 24 hours.
func ParseTime(s string, now time.Time, zone *time.Location) (time.Time, error) {
	return values.ParseTime(s, now, zone)
}

// Snapshot reads the whole manifest of one snapshot, with every entry in Files. If the newest is unreadable, it returns
// an UnreadableError and never an older snapshot: what cannot be read may be a true manifest that is damaged. It passes
// over a manifest that can be read and is another archive's. Errors: ErrNoArchive, ErrNoSnapshot, ErrDamaged.
func (a *Archive) Snapshot(ctx context.Context, which Selector) (*manifest.Manifest, error) {
	return snapshots.Snapshot(ctx, a.repo, which)
}

// SnapshotOf is Snapshot for some files. It reads of the manifest's pages only those that can have one of the names, so
// that Files has the entries of these pages alone. A name that is not in Files is not in the snapshot. Everything that
// was read is checked as by Snapshot, except for the totals, which need all pages.
func (a *Archive) SnapshotOf(ctx context.Context, which Selector, names []string) (*manifest.Manifest, error) {
	return snapshots.SnapshotOf(ctx, a.repo, which, names)
}

// SnapshotFor is SnapshotOf for the files that a Restore with RestoreOptions.Include writes. A pattern without a slash
// needs all pages if any directory may have such a file.
func (a *Archive) SnapshotFor(ctx context.Context, which Selector, include []string) (*manifest.Manifest, error) {
	return snapshots.SnapshotFor(ctx, a.repo, which, include)
}

// Newest reads the whole newest readable manifest, and keeps it in memory for the next Backup and for
// Pending. Errors: ErrNoArchive, ErrNoSnapshot, ErrDamaged.
func (a *Archive) Newest(ctx context.Context) (*manifest.Manifest, error) {
	return snapshots.Newest(ctx, a.repo)
}
