package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// How often a backup starts over before it gives up.
const (
	unsteadyAttempts = 5 // a file changed or vanished while it was read
)

// backupOptions are the options of a backup, with those that only other operations set.
type backupOptions struct {
	values.BackupOptions
	lost map[string]bool // places of content that the base has lost, regardless of what verifies found; nil disables it
	onto *int64          // the required newest snapshot, 0 for none; any other is ErrLostRace; nil accepts any

	whole bool // the attempt reads all pages of the base
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
func (a *Archive) Backup(ctx context.Context, src values.Source, o values.BackupOptions) (*values.BackupResult, error) {
	return a.backup(ctx, src, backupOptions{BackupOptions: o})
}

// backup is Backup with all options.
func (a *Archive) backup(ctx context.Context, src values.Source, o backupOptions) (*values.BackupResult, error) {
	defer a.repo.Begin()()
	ctx = store.InOrder(ctx)
	start := time.Now()
	res := &values.BackupResult{}
	if err := cmp.Or(o.checkTexts(), a.repo.CheckSource(src)); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	if err := a.repo.TakesBackups(); err != nil {
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
		case errors.Is(err, repo.ErrNeedsWhole) && !o.whole:
			o.whole = true
			continue
		case errors.Is(err, repo.ErrRaced):
			if raced++; raced == objects.RaceAttempts {
				return res, fmt.Errorf("backup: gave up after %d attempts: %w", raced, values.ErrLostRace)
			}
		case unsteady(err):
			if moved++; moved == unsteadyAttempts {
				return res, fmt.Errorf("backup: gave up after %d captures: %w: %w", moved, values.ErrUnsteady, err)
			}
		default:
			return res, fmt.Errorf("backup: %w", err)
		}
		a.repo.Log.Debug("the backup starts over", "reason", err)
		if err := objects.Pause(ctx, min(raced+moved, 4)); err != nil {
			return res, fmt.Errorf("backup: %w", err)
		}
	}
}

// A backupRun is one attempt at one sequence number.
type backupRun struct {
	*Archive
	o            *backupOptions
	node         string             // the database node, as in the options
	acceptance   *values.Acceptance // what an operator has accepted
	head         *repo.Head
	seen         localstate.SourceState // the source at the base snapshot; zero if unknown
	lastSeen     localstate.SourceState // the source at the last snapshot that this host knows; zero if it knows none
	writer       string                 // id of this host's state directory; empty if it has none
	layout       source.Layout
	capture      *source.Capture
	next         int64                                   // the sequence number that this attempt aims at
	canReuseBase bool                                    // the base's objects may be referenced; see head.canReuseBase
	sameStamp    func(*source.File, *manifest.File) bool // no stamp shows that they differ
	knownBad     findings.KnownBad                       // objects known to be missing or damaged
	orphans      orphans
	partial      *partialBase // the base, if not all of its pages were read; nil otherwise
	rawID        []byte       // archive.json as this attempt read or created it; nil if it cannot be read

	lockedUntil time.Time // until when objects of this run are locked; zero if not at all, or without end

	unchecked sync.Once // for the warning of an unknown log version

	mu          sync.Mutex // guards the fields below
	res         *values.BackupResult
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

func (a *Archive) backupOnce(ctx context.Context, src values.Source, o *backupOptions, res *values.BackupResult) error {
	stamps := &stampsOnce{Archive: a}
	h, err := a.repo.LoadWith(ctx, !o.DryRun, a.basePages(o, src, stamps))
	if err != nil {
		return err
	}
	if err := a.repo.JudgeRemains(ctx, h); err != nil {
		return err
	}
	if h.IsNew() {
		if err := a.repo.State.CheckPlace(); err != nil {
			return err
		}
	}
	if err := a.repo.WarnEmptied(ctx, h); err != nil {
		return err
	}
	if err := a.checkBlocked(ctx, h); err != nil {
		return err
	}
	if newest := h.Newest().Sequence; o.onto != nil && newest != *o.onto {
		return fmt.Errorf("the newest snapshot is %d now: %w", newest, values.ErrLostRace)
	}
	if h.NextSequence() > manifest.MaxCounted {
		return fmt.Errorf("sequence number %d is the greatest possible; start a new archive", h.NextSequence()-1)
	}
	res.Sent, res.SentBytes, res.Adopted = 0, 0, 0 // an attempt that lost its race does not count
	res.Warnings = h.Warnings                      // kept even if the source is refused
	var accepted []manifest.Guard
	if h.IsNew() {
		if accepted, err = a.checkBeginning(ctx, o, res); err != nil {
			return err
		}
	}
	r := &backupRun{
		Archive: a, o: o, node: o.Node, acceptance: &o.Acceptance, head: h, layout: src.Layout(), next: h.NextSequence(), canReuseBase: a.canReuseBase(h),
		rawID: h.RawID, res: res, accepted: accepted,
	}
	if o.lost != nil {
		r.knownBad = findings.KnownBad{Lost: o.lost}
	} else if r.knownBad, err = a.repo.KnownBad(ctx, h); err != nil {
		return err
	}
	if h.HasProofs {
		res.Findings = a.repo.Findings.Known()
	}
	seen, err := stamps.of(h.ArchiveID())
	if err != nil {
		return err
	}
	if err := r.beginPartial(src, seen); err != nil {
		return err
	}
	var parent *manifest.Manifest
	if h.Base != nil {
		parent = h.Base.Manifest
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
	var plan values.Plan
	if r.partial != nil {
		if plan, err = r.planPartial(ctx, agrees); err == nil {
			r.rememberNew(h.Base, nil) // for Pending, if this run fails
		}
	} else {
		plan, err = scan.MakePlan(r.capture.Files, parent, agrees)
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
	newestReadable := h.Parent == nil || (h.Base != nil && *h.Parent == h.Base.Ref)
	isIdle := plan.Idle() && newestReadable && h.Base != nil && !o.Force && !r.renamed() && !r.needsLostPage()
	if !isIdle {
		r.keepNothing(&plan)
	}
	if o.DryRun {
		return r.rehearse(ctx, &plan, isIdle)
	}
	if isIdle {
		var stamps *localstate.FileStamps
		if seen.Stale || parent.Pages != nil && seen.Snapshot != h.Base.Ref {
			stamps = r.newStamps(h.ArchiveID(), h.Base.Ref, parent.Files)
		}
		r.keepForNext(h.ArchiveID(), h.Base, stamps)
		res.Damaged = scan.Damaged(parent.Files)
		return r.stillValid(ctx, h.Base.Ref)
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
	was := scan.Entry(parent.Files, f.Name)
	return was != nil && scan.LooksSame(f, was) && r.sameStamp(f, was) && !r.needsLostObject(was) && !r.neverChecked(was)
}

// renamed reports whether the node has another name than in the newest snapshot. That justifies a new snapshot even if
// nothing else has changed: otherwise every later backup would warn about the name.
func (r *backupRun) renamed() bool {
	return r.head.Base != nil && r.head.Base.Manifest.Node != r.o.Node
}

// run stores the planned files and commits the snapshot.
func (r *backupRun) run(ctx context.Context, plan *values.Plan, parent *manifest.Manifest) error {
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
		r.repo.Sealed.Begin(id, r.next)
		defer r.repo.Sealed.End()
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
		if err := r.stillValid(ctx, r.head.Base.Ref); err != nil {
			return err
		}
		r.keepForNext(id, r.head.Base, r.newStamps(id, r.head.Base.Ref, m.Files))
		return nil
	}
	pages, err := r.storePages(ctx, m)
	if err != nil {
		return err
	}
	return r.commit(ctx, id, m, pages)
}

// keepNothing plans every file for upload if the base's objects may not be referenced.
func (r *backupRun) keepNothing(plan *values.Plan) {
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
