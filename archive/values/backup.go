package values

import (
	"context"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// BackupOptions configures Backup.
type BackupOptions struct {
	Node string // the database node that the log files belong to; 1 to 255 bytes, may be empty in a dry run
	Tool string // name and version of this program, for the manifest; the same bounds

	DryRun bool // plans only, and writes nothing
	Force  bool // writes a manifest even if nothing has changed
	// TestPlaces makes a dry run also test whether the planned objects could be created where they belong. In a directory
	// that makes a file that no listing shows, and removes it.
	TestPlaces bool

	Acceptance // findings of guards that do not stop the backup
}

// BackupResult reports what a backup did.
type BackupResult struct {
	Committed bool              // a new snapshot exists
	Snapshot  *manifest.Summary // the new snapshot; if none was made, the newest existing one, or nil
	Plan      Plan
	Sent      int   // files whose content the last attempt sent; of a grown tail, only the new content
	SentBytes int64 // stored bytes of that content
	Adopted   int   // files whose content was adopted from an interrupted run
	Changed   []Changed
	Damaged   []string        // files of the set, new or not, with invalid entries
	LeftOut   []string        // newest source files without a valid log entry; not archived
	Omitted   []Omission      // files that the set does not have although the layout matches them, with LeftOut
	Findings  *VerifyFindings // what the latest verify found; nil if there was none
	Warnings  []string
	Took      time.Duration
}

// Omission is a file of the source that matches the layout and is not in the snapshot. The files that a layout leaves
// out of every snapshot, such as the one that is being written, are not omitted.
type Omission struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // in bytes; 0 if the file was not read
	Why  string `json:"why"`  // for people
}

// Changed is a closed file whose content differs from the parent snapshot's.
type Changed struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // one of the kinds of change
}

// The kinds of change. All but the last are determined from the files' entries.
const (
	ChangedErased    = "erased entries"    // the database erased entries in place
	ChangedInvisible = "invisible entries" // a replica rolled entries back in place
	ChangedBoth      = "erased and invisible entries"
	ChangedDamage    = "damage"        // its entries are no longer valid
	ChangedMended    = "damage mended" // its entries are valid again
	ChangedOther     = "other content"
)

// Pending describes the files that changed since the newest snapshot.
type Pending struct {
	Files  int   // the number of pending files: closed ones, and a tail that grew
	Bytes  int64 // the bytes of the pending files; for a tail, only its new bytes
	Closed int   // the number of closed files in Files
	// Largest is the size of the largest section of a pending file that is stored as one object.
	Largest int64
	// Fingerprint identifies the pending closed files by their names, sizes and times. It is 0 if there are
	// none.
	Fingerprint uint64
}

// Source is the database's directory as Backup reads it.
type Source interface {
	// Layout returns the rules for the files' names and order.
	Layout() source.Layout
	// Capture records which files exist at one moment, and pins the files for which want returns true. The
	// caller closes the capture.
	Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error)
}

// Plan is what a backup would do, judged by names, sizes and times.
type Plan struct {
	// Keep has the entries of the parent that are kept unchanged. A backup that did not have to read all pages of the
	// parent has no others than those that it read; a dry run reads all. Callers must not modify them.
	Keep    []*manifest.File
	Upload  []source.File // files to read; content that the parent has already is not sent
	Removed []string      // names in the parent that are no longer in the source
	Changed []string      // files closed in both whose size or time differs; their content may be the same
}

// Idle reports whether there is nothing to do: the source matches the parent.
func (p *Plan) Idle() bool { return len(p.Upload) == 0 && len(p.Removed) == 0 }
