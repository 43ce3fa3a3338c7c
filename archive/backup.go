package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// How often a backup starts over before it gives up.
const (
	raceAttempts     = 32 // another writer took the number, and thereby made progress
	unsteadyAttempts = 5  // a file changed or vanished while it was read
)

// BackupOptions configures Backup.
type BackupOptions struct {
	Node string // the database node that the log files belong to; at most 255 bytes
	Tool string // name and version of this program, for the manifest

	DryRun bool // plans only, and writes nothing
	Force  bool // writes a manifest even if nothing has changed
	// TestPlaces makes a dry run also test whether the planned objects could be created where they belong. In a directory
	// that makes a file that no listing shows, and removes it.
	TestPlaces bool

	Acceptance // findings of guards that do not stop the backup

	lost map[string]bool // places of content that the base has lost, regardless of what verifies found; nil disables it
	onto *int64          // the required newest snapshot, 0 for none; any other is ErrLostRace; nil accepts any

	whole bool // the attempt reads all pages of the base
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

// Backup makes one snapshot. It captures the closed files, plans against the newest manifest, hashes each new file,
// puts it with its checksums, and commits one manifest. A snapshot exists only if Backup, or a read of the archive,
// reports it. The next backup adopts an object of an interrupted one if it can compare the content. It adopts an
// encrypted object if this host recorded it. Backup starts over with a new capture when another writer takes the
// sequence number, or when a file changes while it is read.
//
// Guards that refuse the source return a Refusal, which wraps ErrForeign, ErrRolledBack, ErrMissingFiles or ErrForked.
// Other errors include store.ErrUnordered, ErrOverlap, ErrEmptySource, ErrForeign for another layout, ErrLostRace,
// ErrUnsteady, ErrLostID, ErrFreezes and ErrDamaged. The result is never nil; with an error it describes the last attempt.
func (a *Archive) Backup(ctx context.Context, src Source, o BackupOptions) (*BackupResult, error) {
	defer a.hold()()
	ctx = store.InOrder(ctx)
	start := time.Now()
	res := &BackupResult{}
	if err := cmp.Or(o.checkTexts(), a.checkSource(src)); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	if err := a.TakesBackups(); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	var raced, moved int
	for {
		err := a.backupOnce(ctx, src, &o, res)
		res.Took = time.Since(start)
		switch {
		case err == nil:
			return res, nil
		case ctx.Err() != nil:
			return res, fmt.Errorf("backup: %w", context.Cause(ctx))
		case errors.Is(err, errNeedsWhole) && !o.whole:
			o.whole = true
			continue
		case errors.Is(err, errRaced):
			if raced++; raced == raceAttempts {
				return res, fmt.Errorf("backup: gave up after %d attempts: %w", raced, ErrLostRace)
			}
		case unsteady(err):
			if moved++; moved == unsteadyAttempts {
				return res, fmt.Errorf("backup: gave up after %d captures: %w: %w", moved, ErrUnsteady, err)
			}
		default:
			return res, fmt.Errorf("backup: %w", err)
		}
		a.log.Debug("the backup starts over", "reason", err)
		if err := pause(ctx, min(raced+moved, 4)); err != nil {
			return res, fmt.Errorf("backup: %w", err)
		}
	}
}

// errRaced: another writer committed the number that this attempt aimed at, or a prune made it invalid. The next
// attempt plans again.
var errRaced = errors.New("another writer was first")

// A backupRun is one attempt at one sequence number.
type backupRun struct {
	*Archive
	o            *BackupOptions
	head         *head
	seen         localstate.SourceState // the source at the base snapshot; zero if unknown
	lastSeen     localstate.SourceState // the source at the last snapshot that this host knows; zero if it knows none
	writer       string                 // id of this host's state directory; empty if it has none
	layout       source.Layout
	capture      *source.Capture
	next         int64                                   // the sequence number that this attempt aims at
	canReuseBase bool                                    // the base's objects may be referenced; see head.canReuseBase
	sameStamp    func(*source.File, *manifest.File) bool // no stamp shows that they differ
	knownBad     knownBad                                // objects known to be missing or damaged
	orphans      orphans
	partial      *partialBase // the base, if not all of its pages were read; nil otherwise
	rawID        []byte       // archive.json as this attempt read or created it; nil if it cannot be read
	isFenced     bool         // a ledger record has the gap before next

	lockedUntil time.Time // until when objects of this run are locked; zero if not at all, or without end

	unchecked sync.Once // for the warning of an unknown log version

	mu          sync.Mutex // guards the fields below
	res         *BackupResult
	addedSize   int64
	pageExisted bool     // a page existed already
	foreignKeys []string // keys that hold other content
	frozenKeys  []string // keys whose content must be thawed before it can be compared
	large       bool     // an object was sent that a provider may upload in parts

	accepted []manifest.Guard  // guards whose findings an operator accepted
	leftOut  *manifest.LeftOut // the manifest's note of the omitted files; nil if there are none

	forkedFrom, rewoundFrom *manifest.Ref   // the base, if the source does not continue all of it
	unheld                  error           // why the base could not be held yet; nil if it is held
	sameContent             map[string]bool // closed files that were read, and have the base's content
}

func (a *Archive) backupOnce(ctx context.Context, src Source, o *BackupOptions, res *BackupResult) error {
	stamps := &stampsOnce{Archive: a}
	h, err := a.loadWith(ctx, !o.DryRun, a.basePages(o, src, stamps))
	if err != nil {
		return err
	}
	if err := a.judgeRemains(ctx, h); err != nil {
		return err
	}
	if h.isNew() {
		if err := a.state.CheckPlace(); err != nil {
			return err
		}
	}
	if err := a.warnEmptied(ctx, h); err != nil {
		return err
	}
	if err := a.checkBlocked(ctx, h); err != nil {
		return err
	}
	if newest := h.newest().Sequence; o.onto != nil && newest != *o.onto {
		return fmt.Errorf("the newest snapshot is %d now: %w", newest, ErrLostRace)
	}
	if h.nextSequence() > manifest.MaxCounted {
		return fmt.Errorf("sequence number %d is the greatest possible; start a new archive", h.nextSequence()-1)
	}
	res.Sent, res.SentBytes, res.Adopted = 0, 0, 0 // an attempt that lost its race does not count
	res.Warnings = h.warnings                      // kept even if the source is refused
	var accepted []manifest.Guard
	if h.isNew() {
		if accepted, err = a.checkBeginning(ctx, o, res); err != nil {
			return err
		}
	}
	r := &backupRun{
		Archive: a, o: o, head: h, layout: src.Layout(), next: h.nextSequence(), canReuseBase: a.canReuseBase(h),
		rawID: h.rawID, res: res, accepted: accepted,
	}
	if o.lost != nil {
		r.knownBad = knownBad{lost: o.lost}
	} else if r.knownBad, err = a.readKnownBad(ctx, h); err != nil {
		return err
	}
	if h.hasProofs {
		res.Findings = a.lastFindings()
	}
	seen, err := stamps.of(h.archiveID())
	if err != nil {
		return err
	}
	if err := r.beginPartial(src, seen); err != nil {
		return err
	}
	var parent *manifest.Manifest
	if h.base != nil {
		parent = h.base.m
		if len(parent.Recipients) > 0 && len(r.recipients()) == 0 {
			r.warn("new content is stored unencrypted, as no recipients are given; "+
				"snapshot %d is encrypted to %d recipients", parent.Sequence, len(parent.Recipients))
		}
		res.Snapshot = new(parent.Summary) // the result must not keep the entries in memory
	}
	r.sameStamp = seen.Match
	copied, isCopy := src.(*snapshotSource)
	if isCopy {
		r.sameStamp = copied.agrees
	}
	if r.seen, r.lastSeen, err = a.knownSource(h); err != nil {
		return err
	}
	r.writer = a.writerID(false)
	if !isCopy {
		r.warnWriter(parent)
	}
	r.capture, err = src.Capture(ctx, func(f source.File) bool { return !r.unchanged(&f, parent) })
	if err != nil {
		return fmt.Errorf("capturing the source: %w", err)
	}
	defer r.capture.Close()
	if err := r.checkSource(); err != nil {
		return err
	}
	agrees := func(f *source.File, was *manifest.File) bool {
		return r.sameStamp(f, was) && !r.needsLostObject(was) && (!r.neverChecked(was) || r.unreadable(f))
	}
	var plan Plan
	if r.partial != nil {
		if plan, err = r.planPartial(ctx, agrees); err == nil {
			r.rememberNew(h.base, nil) // for Pending, if this run fails
		}
	} else {
		plan, err = MakePlan(r.capture.Files, parent, agrees)
	}
	if err != nil {
		return err
	}
	res.Plan, res.Changed, res.Damaged, res.LeftOut, res.Omitted = plan, nil, nil, nil, nil
	r.leaveOut()
	switch {
	case isCopy:
		r.accepted, r.leftOut = copied.m.Accepted, copied.m.LeftOut // the original passed the guards
	case r.partial != nil:
		err = r.checkPartial(ctx, &plan)
	default:
		err = r.checkContinuation(ctx, &plan, parent)
	}
	if err != nil {
		return err
	}
	if r.rewoundFrom == nil {
		if w := tailWarning(r.capture.Files, r.layout, parent); w != "" {
			res.Warnings = append(res.Warnings, w)
		}
	}
	if err := r.checkNested(ctx, plan.Upload); err != nil {
		return err
	}
	newestReadable := h.parent == nil || (h.base != nil && *h.parent == h.base.ref)
	isIdle := plan.Idle() && newestReadable && h.base != nil && !o.Force && !r.renamed() && !r.needsLostPage()
	if !isIdle {
		r.keepNothing(&plan)
	}
	if o.DryRun {
		return r.rehearse(ctx, &plan, isIdle)
	}
	if isIdle {
		var stamps *localstate.FileStamps
		if seen.Stale || parent.Pages != nil && seen.Snapshot != h.base.ref {
			stamps = r.newStamps(h.archiveID(), h.base.ref, parent.Files)
		}
		r.keepForNext(h.archiveID(), h.base, stamps)
		res.Damaged = damaged(parent.Files)
		return r.stillValid(ctx, h.base.ref)
	}
	return r.run(ctx, &plan, parent)
}

func (r *backupRun) unchanged(f *source.File, parent *manifest.Manifest) bool {
	switch {
	case parent == nil || !r.canReuseBase:
		return false
	case r.partial != nil:
		return r.partial.isSame(f, r.layout.ChecksEntries())
	}
	was := entry(parent.Files, f.Name)
	return was != nil && looksSame(f, was) && r.sameStamp(f, was) && !r.needsLostObject(was) && !r.neverChecked(was)
}

// renamed reports whether the node has another name than in the newest snapshot. That justifies a new snapshot even if
// nothing else has changed: otherwise every later backup would warn about the name.
func (r *backupRun) renamed() bool {
	return r.head.base != nil && r.head.base.m.Node != r.o.Node
}

// run stores the planned files and commits the snapshot.
func (r *backupRun) run(ctx context.Context, plan *Plan, parent *manifest.Manifest) error {
	r.renewLock()
	id, err := r.identity(ctx)
	if err != nil {
		return err
	}
	r.writer = r.writerID(true)
	defer r.warnForeign()
	if err := r.fence(ctx, id); err != nil {
		return err
	}
	if len(r.recipients()) > 0 {
		r.sealed.Begin(id, r.next)
		defer r.sealed.End()
	}
	if err := r.findOrphans(ctx, plan.Upload); err != nil {
		return err
	}
	uploaded, err := r.storeFiles(ctx, plan.Upload, parent)
	if err != nil {
		return err
	}
	m := r.describe(id, plan, uploaded, parent)
	if r.sameAs(parent, m) {
		if err := r.stillValid(ctx, r.head.base.ref); err != nil {
			return err
		}
		r.keepForNext(id, r.head.base, r.newStamps(id, r.head.base.ref, m.Files))
		return nil
	}
	pages, err := r.storePages(ctx, m)
	if err != nil {
		return err
	}
	return r.commit(ctx, id, m, pages)
}

// keepNothing plans every file for upload if the base's objects may not be referenced.
func (r *backupRun) keepNothing(plan *Plan) {
	if r.canReuseBase {
		return
	}
	plan.Upload, plan.Keep = r.capture.Files, nil
	r.res.Plan = *plan
}

// unsteady reports whether an error means that the source changed while it was read, so that another capture may
// succeed.
func unsteady(err error) bool {
	return errors.Is(err, source.ErrChanged) || errors.Is(err, source.ErrVanished) ||
		errors.Is(err, source.ErrDiskPressure) || errors.Is(err, store.ErrMismatch)
}
