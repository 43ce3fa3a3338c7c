package archiver

import (
	"context"
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/guard"
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/internal/staging"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A backupRun is one attempt at one sequence number. Its steps fill in the fields, in their order.
type backupRun struct {
	repo *repo.Repo
	from values.Source
	o    *Options
	src  *guard.Source // the source beside the archive, for the guards; it also has the result

	stamps   stampsOnce
	next     int64                   // the sequence number that this attempt aims at
	rawID    []byte                  // archive.json as this attempt read or created it; nil if it cannot be read
	isFenced bool                    // a ledger record has the gap before next
	original *staging.SnapshotSource // the source, if it is a snapshot of another archive; nil otherwise
	seen     *localstate.FileStamps  // the files of the source when this host last stored them
	partial  *partialBase            // the base, if not all of its pages were read; nil otherwise
	lastSeen localstate.SourceState  // the source at the last snapshot that this host knows; zero if it knows none
	plan     values.Plan
	isIdle   bool // the newest snapshot is up to date

	orphans     objects.Orphans
	unheld      error     // why the base could not be held yet; nil if it is held
	lockedUntil time.Time // until when objects of this run are locked; zero if not at all, or without end

	// The lock of src guards the fields below, with its own.
	addedSize   int64
	pageExisted bool     // a page existed already
	foreignKeys []string // keys that hold other content
	frozenKeys  []string // keys whose content must be thawed before it can be compared
	large       bool     // an object was sent that a provider may upload in parts
}

// attempt makes one attempt.
func (r *backupRun) attempt(ctx context.Context) error {
	defer func() {
		if r.src.Capture != nil {
			r.src.Capture.Close()
		}
	}()
	for _, step := range []func(context.Context) error{
		r.readHead,
		r.checkHead,
		r.begin,
		r.readBase,
		r.compareHosts,
		r.capture,
		r.makePlan,
		r.checkPlan,
		r.decide,
		r.finish,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readHead reads the state of the archive.
func (r *backupRun) readHead(ctx context.Context) (err error) {
	r.original, _ = r.from.(*staging.SnapshotSource)
	r.stamps.repo = r.repo
	r.src.Node, r.src.Acceptance, r.src.Layout = r.o.Node, &r.o.Acceptance, r.from.Layout()
	r.src.Head, err = r.repo.LoadWith(ctx, !r.o.DryRun, r.basePages())
	return err
}

// checkHead checks that the archive takes one more snapshot.
func (r *backupRun) checkHead(ctx context.Context) error {
	h := r.src.Head
	if err := r.repo.JudgeRemains(ctx, h); err != nil {
		return err
	}
	if h.IsNew() {
		if err := r.repo.State.CheckPlace(); err != nil {
			return err
		}
	}
	if err := r.repo.WarnEmptied(ctx, h); err != nil {
		return err
	}
	if err := checkBlocked(ctx, r.repo, h); err != nil {
		return err
	}
	if newest := h.Newest().Sequence; r.o.Onto != nil && newest != *r.o.Onto {
		return fmt.Errorf("the newest snapshot is %d now: %w", newest, values.ErrLostRace)
	}
	if h.NextSequence() > manifest.MaxCounted {
		return fmt.Errorf("sequence number %d is the greatest possible; start a new archive", h.NextSequence()-1)
	}
	return nil
}

// begin begins the result of the attempt: one that lost its race does not count.
func (r *backupRun) begin(ctx context.Context) (err error) {
	h, res := r.src.Head, r.src.Res
	res.Sent, res.SentBytes, res.Adopted = 0, 0, 0
	res.Warnings = h.Warnings // kept even if the source is refused
	if h.IsNew() {
		if r.src.Accepted, err = checkBeginning(ctx, r.repo, r.o, res); err != nil {
			return err
		}
	}
	r.next, r.rawID, r.src.CanReuseBase = h.NextSequence(), h.RawID, canReuseBase(r.repo, h)
	return nil
}

// readBase reads what the run has to know of the base: what of it is damaged, and which of its pages are needed.
func (r *backupRun) readBase(ctx context.Context) (err error) {
	h, res := r.src.Head, r.src.Res
	if r.o.Lost != nil {
		r.src.KnownBad = findings.KnownBad{Lost: r.o.Lost}
	} else if r.src.KnownBad, err = r.repo.KnownBad(ctx, h); err != nil {
		return err
	}
	if h.HasProofs {
		res.Findings = r.repo.Findings.Known()
	}
	if r.seen, err = r.stamps.of(h.ArchiveID()); err != nil {
		return err
	}
	if err := r.beginPartial(); err != nil {
		return err
	}
	parent := r.src.Parent()
	if parent == nil {
		return nil
	}
	if len(parent.Recipients) > 0 && len(r.recipients()) == 0 {
		r.src.Warn("new content is stored unencrypted, as no recipients are given; "+
			"snapshot %d is encrypted to %d recipients", parent.Sequence, len(parent.Recipients))
	}
	res.Snapshot = new(parent.Summary) // the result must not keep the entries in memory
	return nil
}

// compareHosts reads what this host remembers of the source, and warns if another host makes snapshots, too.
func (r *backupRun) compareHosts(context.Context) (err error) {
	r.src.SameStamp = r.seen.Match
	if r.original != nil {
		r.src.SameStamp = r.original.Agrees
	}
	if r.src.Seen, r.lastSeen, err = knownSource(r.repo, r.src.Head); err != nil {
		return err
	}
	r.src.Writer = writerID(r.repo, false)
	if r.original == nil {
		r.warnWriter()
	}
	return nil
}

// capture captures the files of the source. attempt closes the capture.
func (r *backupRun) capture(ctx context.Context) (err error) {
	r.src.Capture, err = r.from.Capture(ctx, func(f source.File) bool { return !r.unchanged(&f) })
	if err != nil {
		r.src.Capture = nil
		return fmt.Errorf("capturing the source: %w", err)
	}
	return r.src.CheckSource()
}

func (r *backupRun) unchanged(f *source.File) bool {
	parent := r.src.Parent()
	switch {
	case parent == nil || !r.src.CanReuseBase:
		return false
	case r.partial != nil:
		return r.partial.isSame(f, r.src.Layout.ChecksEntries())
	}
	was := scan.Entry(parent.Files, f.Name)
	return was != nil && scan.LooksSame(f, was) && r.src.SameStamp(f, was) && !r.src.NeedsLostObject(was) && !r.src.NeverChecked(was)
}

// makePlan compares the capture with the base.
func (r *backupRun) makePlan(ctx context.Context) (err error) {
	agrees := func(f *source.File, was *manifest.File) bool {
		return r.src.SameStamp(f, was) && !r.src.NeedsLostObject(was) && (!r.src.NeverChecked(was) || r.src.Unreadable(f))
	}
	if r.partial != nil {
		if r.plan, err = r.planPartial(ctx, agrees); err == nil {
			r.repo.RememberMade(r.src.Head.Base, nil) // for Pending, if this run fails
		}
	} else {
		r.plan, err = scan.MakePlan(r.src.Capture.Files, r.src.Parent(), agrees)
	}
	if err != nil {
		return err
	}
	res := r.src.Res
	res.Plan, res.Changed, res.Damaged, res.LeftOut, res.Omitted = r.plan, nil, nil, nil, nil
	r.src.LeaveOut()
	return nil
}

// checkPlan lets the guards judge the source.
func (r *backupRun) checkPlan(ctx context.Context) (err error) {
	switch {
	case r.original != nil: // it passed the guards
		r.src.Accepted, r.src.LeftOut = r.original.M.Accepted, r.original.M.LeftOut
	case r.partial != nil:
		err = r.checkPartial(ctx, &r.plan)
	default:
		err = r.src.CheckContinuation(ctx, &r.plan)
	}
	if err != nil {
		return err
	}
	if r.src.RewoundFrom == nil {
		if w := guard.TailWarning(r.src.Capture.Files, r.src.Layout, r.src.Parent()); w != "" {
			r.src.Res.Warnings = append(r.src.Res.Warnings, w)
		}
	}
	return r.checkNested(ctx, r.plan.Upload)
}

// decide decides whether there is something to store.
func (r *backupRun) decide(context.Context) error {
	h := r.src.Head
	newestReadable := h.Parent == nil || (h.Base != nil && *h.Parent == h.Base.Ref)
	r.isIdle = r.plan.Idle() && newestReadable && h.Base != nil && !r.o.Force && !r.renamed() && !r.needsLostPage()
	if !r.isIdle {
		r.keepNothing(&r.plan)
	}
	return nil
}

// renamed reports whether the node has another name than in the newest snapshot. That justifies a new snapshot even if
// nothing else has changed: otherwise every later backup would warn about the name.
func (r *backupRun) renamed() bool {
	return r.src.Head.Base != nil && r.src.Head.Base.Manifest.Node != r.o.Node
}

// keepNothing plans every file for upload if the base's objects may not be referenced.
func (r *backupRun) keepNothing(plan *values.Plan) {
	if r.src.CanReuseBase {
		return
	}
	plan.Upload, plan.Keep = r.src.Capture.Files, nil
	r.src.Res.Plan = *plan
}

// finish stores the snapshot, or what a dry run or an idle one does in its place.
func (r *backupRun) finish(ctx context.Context) error {
	switch {
	case r.o.DryRun:
		return r.rehearse(ctx, &r.plan, r.isIdle)
	case r.isIdle:
		return r.confirmBase(ctx)
	}
	return r.run(ctx)
}

// confirmBase ends a run without anything to store: the newest snapshot must be valid still.
func (r *backupRun) confirmBase(ctx context.Context) error {
	id, base, parent := r.src.Head.ArchiveID(), r.src.Head.Base, r.src.Parent()
	var stamps *localstate.FileStamps
	if r.seen.Stale || parent.Pages != nil && r.seen.Snapshot != base.Ref {
		stamps = r.newStamps(id, base.Ref, parent.Files)
	}
	r.keepForNext(id, base, stamps)
	r.src.Res.Damaged = scan.Damaged(parent.Files)
	return r.stillValid(ctx, base.Ref)
}

// run stores the planned files and commits the snapshot.
func (r *backupRun) run(ctx context.Context) error {
	r.renewLock()
	id, err := r.identity(ctx)
	if err != nil {
		return err
	}
	r.src.Writer = writerID(r.repo, true)
	defer r.warnForeign()
	if err := r.fence(ctx, id); err != nil {
		return err
	}
	if len(r.recipients()) > 0 {
		r.repo.Sealed.Begin(id, r.next)
		defer r.repo.Sealed.End()
	}
	if err := r.findOrphans(ctx, r.plan.Upload); err != nil {
		return err
	}
	uploaded, err := r.storeFiles(ctx, r.plan.Upload)
	if err != nil {
		return err
	}
	m := r.describe(id, &r.plan, uploaded)
	if r.sameAs(m) {
		if err := r.stillValid(ctx, r.src.Head.Base.Ref); err != nil {
			return err
		}
		r.keepForNext(id, r.src.Head.Base, r.newStamps(id, r.src.Head.Base.Ref, m.Files))
		return nil
	}
	pages, err := r.storePages(ctx, m)
	if err != nil {
		return err
	}
	return r.commit(ctx, id, m, pages)
}
