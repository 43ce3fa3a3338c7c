package archive

import (
	"context"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/snapshots"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// List returns the valid snapshots of the archive in ascending order; with last > 0, only the last ones. It
// reads only the first 4 KiB of each manifest. So it does not notice a manifest that was replaced under a
// number in the ledger; operations that read the whole manifest do. An unreadable manifest is listed with
// its Err and does not hide the others. Returns ErrNoArchive if there is no archive, and ErrDamaged if there was a
// snapshot and there is none any more.
func (a *Archive) List(ctx context.Context, last int) ([]Snapshot, error) {
	return snapshots.List(ctx, a.repo, last)
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

// Diff compares two snapshots by the names, hashes and states of their files. It ignores where the content is stored.
func Diff(before, after *manifest.Manifest) Difference {
	return values.Diff(before, after)
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
