package checker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/snapshots"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Verify implements the method of archive.Archive.
func Verify(ctx context.Context, a *repo.Repo, o Options) (*values.VerifyReport, error) {
	defer a.Begin()()
	done := &repairProgress{mended: map[string]bool{}, correctManifests: map[int64]manifest.Hash{}, deleted: map[string]bool{}}
	for again := true; ; {
		v := newVerifyRun(a, &o, done)
		err := v.pass(ctx)
		done.repaired = append(done.repaired, v.report.Repaired...)
		v.report.Repaired = done.repaired
		switch {
		case errors.Is(err, store.ErrUnordered) && again: // from now on the store sorts its listings
			again = false
			continue
		case err == nil && v.rerun:
			continue
		case err == nil && o.Repair != nil:
			err = v.keepRepaired(ctx)
		}
		if err != nil {
			return v.stoppedReport(), err
		}
		return v.report, nil
	}
}

// newVerifyRun returns one pass of Verify. Further passes follow after objects were restored; each object is
// restored at most once.
func newVerifyRun(a *repo.Repo, o *Options, done *repairProgress) *verifyRun {
	fresh := a.WithoutCache()
	fresh.Undecrypted, fresh.ReadsOnly = &objects.Undecrypted{}, o.Repair == nil
	return &verifyRun{
		repo: fresh, o: o, repairProgress: done, mergedProofs: map[string]bool{}, readTimes: readTimes{}, refs: map[int64]manifest.Ref{},
		report: &values.VerifyReport{Problems: []values.Problem{}, Damaged: []values.Damage{}, Repaired: []values.Problem{}, Nested: []values.Nested{}},
		slots:  a.NewSlots(),
		needs:  map[string]*need{}, seenParts: map[partKey]bool{}, multiPartFiles: map[string]*manifest.File{},
	}
}

// pass checks the archive once and, with Repair, restores missing and damaged objects. A repair that needs another pass
// ends it early.
func (v *verifyRun) pass(ctx context.Context) error {
	v.start = time.Now()
	for _, step := range []func(context.Context) error{
		v.readManifests,
		v.repairUnread,
		v.readPreviousProof,
		v.listObjects,
		v.checkEmpty,
		v.settleNamed,
		v.compareChecksums,
		v.readBack,
		v.dropProblemsOfPruned,
		v.mergeFindings,
		v.repairProblems,
		v.conclude,
	} {
		if err := step(ctx); err != nil || v.rerun {
			return err
		}
	}
	return nil
}

// isWhole reports whether the pass is of the whole archive.
func (v *verifyRun) isWhole() bool { return len(v.o.Snapshots) == 0 }

// repairUnread repairs a record of the ledger that cannot be read, before anything relies on it.
func (v *verifyRun) repairUnread(ctx context.Context) (err error) {
	if v.o.Repair != nil && v.head.Unread != nil {
		v.rerun, err = v.repairLedger(ctx)
	}
	return err
}

// readPreviousProof reads what earlier verifies found.
func (v *verifyRun) readPreviousProof(ctx context.Context) (err error) {
	if v.isWhole() && v.head.HasProofs {
		v.before, err = v.previousProof(ctx)
	}
	return err
}

// compareChecksums compares the provider's checksums, unless all content is read back anyway.
func (v *verifyRun) compareChecksums(ctx context.Context) error {
	if !v.o.Checksums || v.o.ReadData {
		return nil
	}
	return v.askChecksums(ctx)
}

// readBack fetches and hashes the content that the options choose.
func (v *verifyRun) readBack(ctx context.Context) error {
	if v.o.ReadData || v.o.Sample > 0 {
		v.pickSample()
		if err := v.readData(ctx); err != nil {
			return err
		}
	}
	v.report.Unopened, v.report.UnopenedBytes = int(v.repo.Undecrypted.Parts.Load()), v.repo.Undecrypted.Bytes.Load()
	if v.report.Unopened > 0 {
		v.report.Recipients = slices.Concat(v.recipients...)
		slices.Sort(v.report.Recipients)
		v.report.Recipients = slices.Compact(v.report.Recipients)
	}
	return nil
}

// mergeFindings adds what earlier verifies found and this one did not check again, and notes what it read back.
func (v *verifyRun) mergeFindings(context.Context) error {
	if v.isWhole() {
		v.mergePreviousFindings(v.before, false)
		v.noteReadBack()
	}
	return nil
}

// repairProblems repairs what was found.
func (v *verifyRun) repairProblems(ctx context.Context) error {
	if v.o.Repair == nil {
		return nil
	}
	return v.repair(ctx, v.o.Repair)
}

// conclude completes the report, and stores the verification record.
func (v *verifyRun) conclude(ctx context.Context) error {
	if v.isWhole() {
		v.countCoverage(v.start)
	}
	v.finish()
	if v.isWhole() && v.o.Proof && v.head.ArchiveID() != "" {
		if err := v.storeProof(ctx, v.start); err != nil {
			v.report.Unproven = err.Error()
		}
	}
	return nil
}

type verifyRun struct {
	repo            *repo.Repo
	o               *Options
	start           time.Time
	before          *manifest.Proof // what earlier verifies found; nil without a verify of the whole
	report          *values.VerifyReport
	head            *repo.Head             // the archive's state before the manifests were read
	refs            map[int64]manifest.Ref // the hashes of manifests, as the ledger or later manifests name them
	*repairProgress                        // what earlier passes of a repair have done
	mergedProofs    map[string]bool        // the keys of the verification records that were merged
	greatest        int64                  // the greatest number that an object was stored for
	rerun           bool                   // a restored object may name objects that were not checked yet
	hasMixedIDs     bool                   // the manifests do not agree on the archive's id
	readTimes       readTimes              // when objects were last read back
	damage          *findings.DamageLog    // what the verification records name; nil without a verify of the whole
	needs           map[string]*need
	order           []int64 // the snapshots that were read, newest first
	// recipients are the recipients of these snapshots, in the same order.
	recipients [][]string
	seenParts  map[partKey]bool
	// multiPartFiles are the files of several parts, by name and hash. The file may be wrong even if each part
	// is right.
	multiPartFiles map[string]*manifest.File
	latest         latest         // with Repair, the newest objects
	slots          *objects.Slots // of the objects that are checked at once

	mu sync.Mutex // guards report and needs while several goroutines check objects
}

func (v *verifyRun) addProblem(p values.Problem) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := v.needs[p.Object]; n != nil {
		n.bad = true
		for _, s := range n.spans {
			p.Snapshots = append(p.Snapshots, v.order[s.from:s.to]...)
		}
		for _, part := range n.parts {
			if p.Kind != values.ProblemContent && !slices.Contains(p.Files, part.file) { // "content" problems name their file
				p.Files = append(p.Files, part.file)
			}
		}
	}
	v.report.Problems = append(v.report.Problems, p)
}

// readManifests reads every selected manifest, newest first, checks the chain from each to its parent, and
// records the objects that they need.
func (v *verifyRun) readManifests(ctx context.Context) error {
	h, hasManifests, err := v.repo.ReadHead(ctx)
	if err != nil {
		return err
	}
	if !hasManifests && !h.Exists() {
		return v.repo.Nothing(ctx)
	}
	v.head = h
	if h.Record != nil {
		for _, k := range h.Record.Kept {
			v.refs[k.Sequence] = k.Ref
		}
	}
	wanted, err := v.selectedNumbers(ctx, h)
	if err != nil {
		return err
	}
	seen, err := v.repo.LoadPin(h.ArchiveID())
	if err != nil {
		return err
	}
	c := chain{v: v, head: h, seen: seen}
	for f, err := range v.repo.Manifests(ctx, h) {
		if err != nil {
			return err
		}
		if !h.Record.ValidNumber(f.Number) || (wanted != nil && !wanted[f.Number]) {
			continue
		}
		h.Greatest = max(h.Greatest, f.Number)
		v.noteCreated(&f.Object)
		if err := c.next(ctx, f.Number, wanted == nil); err != nil {
			return err
		}
	}
	c.checkForeign()
	if u := h.Unread; u != nil {
		v.addProblem(values.Problem{Object: manifest.LedgerKey(u.Ref.Number), Kind: values.ProblemContent, Detail: u.Err.Error() +
			"; the snapshots are those of the record before it, and nothing is pruned or held"})
	}
	v.report.Ignored = slices.Clip(h.Ignored)
	if err := v.noteBlocks(ctx, h); err != nil {
		return err
	}
	if wanted == nil {
		if err := c.end(ctx); err != nil {
			return err
		}
		v.repo.RememberHead(ctx, h)
	} else if h.ID != nil {
		v.repo.RememberSeen(ctx, h.ID.ID, nil)
	}
	return nil
}

func (v *verifyRun) selectedNumbers(ctx context.Context, h *repo.Head) (map[int64]bool, error) {
	if len(v.o.Snapshots) == 0 {
		return nil, nil
	}
	wanted := map[int64]bool{}
	for _, s := range v.o.Snapshots {
		n, err := snapshots.Resolve(ctx, v.repo, h, s)
		if err != nil {
			return nil, err
		}
		wanted[n] = true
	}
	return wanted, nil
}

// dropProblemsOfPruned drops the problems of snapshots that were pruned during Verify, since their objects may
// be deleted at any time.
func (v *verifyRun) dropProblemsOfPruned(ctx context.Context) error {
	if len(v.report.Problems) == 0 {
		return nil
	}
	now, err := v.repo.RereadLedger(ctx)
	if err != nil || now.Ledger == v.head.Ledger {
		return err
	}
	pruned := func(n int64) bool { return !v.head.Record.Lacks(n) && now.Record.Lacks(n) }
	v.report.Problems = slices.DeleteFunc(v.report.Problems, func(p values.Problem) bool {
		return len(p.Snapshots) > 0 && !slices.ContainsFunc(p.Snapshots, func(n int64) bool { return !pruned(n) })
	})
	for i := range v.report.Problems {
		v.report.Problems[i].Snapshots = slices.DeleteFunc(v.report.Problems[i].Snapshots, pruned)
	}
	return nil
}

func (v *verifyRun) finish() {
	for i := range v.report.Problems {
		slices.Sort(v.report.Problems[i].Snapshots)
		slices.Sort(v.report.Problems[i].Files)
	}
	slices.SortFunc(v.report.Problems, func(a, b values.Problem) int {
		if c := strings.Compare(a.Object, b.Object); c != 0 {
			return c
		}
		return strings.Compare(string(a.Kind), string(b.Kind))
	})
	slices.SortFunc(v.report.Damaged, func(a, b values.Damage) int { return strings.Compare(a.File, b.File) })
	for _, d := range v.report.Damaged {
		slices.Sort(d.Snapshots)
	}
}
