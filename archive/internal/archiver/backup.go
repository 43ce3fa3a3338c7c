package archiver

import (
	"cmp"
	"context"
	"errors"
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
	"github.com/strongroom-dev/strongroom/store"
)

// unsteadyAttempts is how often a backup starts over because a file changed or vanished while it was read.
const unsteadyAttempts = 5

// Options are the options of a backup, with those that only other operations set.
type Options struct {
	values.BackupOptions
	Lost map[string]bool // places of content that the base has lost, regardless of what verifies found; nil disables it
	Onto *int64          // the required newest snapshot, 0 for none; any other is ErrLostRace; nil accepts any

	whole bool // the attempt reads all pages of the base
}

// Backup is Backup with all options.
func Backup(ctx context.Context, a *repo.Repo, src values.Source, o Options) (*values.BackupResult, error) {
	defer a.Begin()()
	ctx = store.InOrder(ctx)
	start := time.Now()
	res := &values.BackupResult{}
	if err := cmp.Or(o.checkTexts(), a.CheckSource(src)); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	if err := a.TakesBackups(); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	var raced, moved int
	for {
		err := backupOnce(ctx, a, src, &o, res)
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
		a.Log.Debug("the backup starts over", "reason", err)
		if err := objects.Pause(ctx, min(raced+moved, 4)); err != nil {
			return res, fmt.Errorf("backup: %w", err)
		}
	}
}

// A backupRun is one attempt at one sequence number.
type backupRun struct {
	repo     *repo.Repo
	src      *guard.Source
	o        *Options
	lastSeen localstate.SourceState // the source at the last snapshot that this host knows; zero if it knows none
	next     int64                  // the sequence number that this attempt aims at
	orphans  objects.Orphans
	partial  *partialBase // the base, if not all of its pages were read; nil otherwise
	rawID    []byte       // archive.json as this attempt read or created it; nil if it cannot be read
	isFenced bool         // a ledger record has the gap before next
	unheld   error        // why the base could not be held yet; nil if it is held

	lockedUntil time.Time // until when objects of this run are locked; zero if not at all, or without end

	// The lock of src guards the fields below, with its own.
	addedSize   int64
	pageExisted bool     // a page existed already
	foreignKeys []string // keys that hold other content
	frozenKeys  []string // keys whose content must be thawed before it can be compared
	large       bool     // an object was sent that a provider may upload in parts
}

func backupOnce(ctx context.Context, a *repo.Repo, src values.Source, o *Options, res *values.BackupResult) error {
	stamps := &stampsOnce{repo: a}
	h, err := a.LoadWith(ctx, !o.DryRun, basePages(a, o, src, stamps))
	if err != nil {
		return err
	}
	if err := a.JudgeRemains(ctx, h); err != nil {
		return err
	}
	if h.IsNew() {
		if err := a.State.CheckPlace(); err != nil {
			return err
		}
	}
	if err := a.WarnEmptied(ctx, h); err != nil {
		return err
	}
	if err := checkBlocked(ctx, a, h); err != nil {
		return err
	}
	if newest := h.Newest().Sequence; o.Onto != nil && newest != *o.Onto {
		return fmt.Errorf("the newest snapshot is %d now: %w", newest, values.ErrLostRace)
	}
	if h.NextSequence() > manifest.MaxCounted {
		return fmt.Errorf("sequence number %d is the greatest possible; start a new archive", h.NextSequence()-1)
	}
	res.Sent, res.SentBytes, res.Adopted = 0, 0, 0 // an attempt that lost its race does not count
	res.Warnings = h.Warnings                      // kept even if the source is refused
	var accepted []manifest.Guard
	if h.IsNew() {
		if accepted, err = checkBeginning(ctx, a, o, res); err != nil {
			return err
		}
	}
	r := &backupRun{
		repo: a, o: o, next: h.NextSequence(), rawID: h.RawID,
		src: &guard.Source{
			Repo: a, Node: o.Node, Acceptance: &o.Acceptance, Head: h, Layout: src.Layout(),
			CanReuseBase: canReuseBase(a, h), Res: res, Accepted: accepted,
		},
	}
	if o.Lost != nil {
		r.src.KnownBad = findings.KnownBad{Lost: o.Lost}
	} else if r.src.KnownBad, err = a.KnownBad(ctx, h); err != nil {
		return err
	}
	if h.HasProofs {
		res.Findings = a.Findings.Known()
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
			r.src.Warn("new content is stored unencrypted, as no recipients are given; "+
				"snapshot %d is encrypted to %d recipients", parent.Sequence, len(parent.Recipients))
		}
		res.Snapshot = new(parent.Summary) // the result must not keep the entries in memory
	}
	r.src.SameStamp = seen.Match
	copied, isCopy := src.(*staging.SnapshotSource)
	if isCopy {
		r.src.SameStamp = copied.Agrees
	}
	if r.src.Seen, r.lastSeen, err = knownSource(a, h); err != nil {
		return err
	}
	r.src.Writer = writerID(a, false)
	if !isCopy {
		r.warnWriter(parent)
	}
	r.src.Capture, err = src.Capture(ctx, func(f source.File) bool { return !r.unchanged(&f, parent) })
	if err != nil {
		return fmt.Errorf("capturing the source: %w", err)
	}
	defer r.src.Capture.Close()
	if err := r.src.CheckSource(); err != nil {
		return err
	}
	agrees := func(f *source.File, was *manifest.File) bool {
		return r.src.SameStamp(f, was) && !r.src.NeedsLostObject(was) && (!r.src.NeverChecked(was) || r.src.Unreadable(f))
	}
	var plan values.Plan
	if r.partial != nil {
		if plan, err = r.planPartial(ctx, agrees); err == nil {
			r.rememberNew(h.Base, nil) // for Pending, if this run fails
		}
	} else {
		plan, err = scan.MakePlan(r.src.Capture.Files, parent, agrees)
	}
	if err != nil {
		return err
	}
	res.Plan, res.Changed, res.Damaged, res.LeftOut, res.Omitted = plan, nil, nil, nil, nil
	r.src.LeaveOut()
	switch {
	case isCopy:
		r.src.Accepted, r.src.LeftOut = copied.M.Accepted, copied.M.LeftOut // the original passed the guards
	case r.partial != nil:
		err = r.checkPartial(ctx, &plan)
	default:
		err = r.src.CheckContinuation(ctx, &plan, parent)
	}
	if err != nil {
		return err
	}
	if r.src.RewoundFrom == nil {
		if w := guard.TailWarning(r.src.Capture.Files, r.src.Layout, parent); w != "" {
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
	case parent == nil || !r.src.CanReuseBase:
		return false
	case r.partial != nil:
		return r.partial.isSame(f, r.src.Layout.ChecksEntries())
	}
	was := scan.Entry(parent.Files, f.Name)
	return was != nil && scan.LooksSame(f, was) && r.src.SameStamp(f, was) && !r.src.NeedsLostObject(was) && !r.src.NeverChecked(was)
}

// renamed reports whether the node has another name than in the newest snapshot. That justifies a new snapshot even if
// nothing else has changed: otherwise every later backup would warn about the name.
func (r *backupRun) renamed() bool {
	return r.src.Head.Base != nil && r.src.Head.Base.Manifest.Node != r.o.Node
}

// run stores the planned files and commits the snapshot.
func (r *backupRun) run(ctx context.Context, plan *values.Plan, parent *manifest.Manifest) error {
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
	if err := r.findOrphans(ctx, plan.Upload); err != nil {
		return err
	}
	uploaded, err := r.storeFiles(ctx, plan.Upload, parent)
	if err != nil {
		return err
	}
	m := r.describe(id, plan, uploaded, parent)
	if r.sameAs(parent, m) {
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

// keepNothing plans every file for upload if the base's objects may not be referenced.
func (r *backupRun) keepNothing(plan *values.Plan) {
	if r.src.CanReuseBase {
		return
	}
	plan.Upload, plan.Keep = r.src.Capture.Files, nil
	r.src.Res.Plan = *plan
}

// unsteady reports whether an error means that the source changed while it was read, so that another capture may
// succeed.
func unsteady(err error) bool {
	return errors.Is(err, source.ErrChanged) || errors.Is(err, source.ErrVanished) ||
		errors.Is(err, source.ErrDiskPressure) || errors.Is(err, store.ErrMismatch)
}

// checkTexts returns an error for a text that the manifest cannot have, before the whole source is sent in vain.
func (o *Options) checkTexts() error {
	for _, f := range []struct{ name, value string }{{"node", o.Node}, {"tool", o.Tool}} {
		if f.value == "" {
			continue // a dry run needs none
		}
		if err := manifest.CheckText(f.value); err != nil {
			return fmt.Errorf("the name %.80q of the %s: %w", f.value, f.name, err)
		}
	}
	return nil
}
