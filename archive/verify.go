package archive

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Verify looks whether the archive holds what its manifests say: the hash chain, each
// manifest and page, and every object's presence and size by listing. What is wrong is
// in the report, and is no error; an error means that Verify could not look. If a repair had begun
// by then, the report is there with the error, and says what the repair had put back or deleted.
func (a *Archive) Verify(ctx context.Context, o VerifyOptions) (*VerifyReport, error) {
	defer a.hold()()
	done := &repairProgress{mended: map[string]bool{}, correctManifests: map[int64]manifest.Hash{}, deleted: map[string]bool{}}
	for {
		v := a.newVerifyRun(&o, done)
		err := v.pass(ctx)
		done.repaired = append(done.repaired, v.report.Repaired...)
		v.report.Repaired = done.repaired
		switch {
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

// newVerifyRun is one pass of Verify. Those after the first follow when objects were put back, which
// is done once for each.
func (a *Archive) newVerifyRun(o *VerifyOptions, done *repairProgress) *verifyRun {
	fresh := a.withoutCache()
	fresh.undecrypted = &undecrypted{}
	return &verifyRun{
		Archive: fresh, o: o, repairProgress: done, mergedProofs: map[string]bool{}, readTimes: readTimes{}, refs: map[int64]manifest.Ref{},
		report: &VerifyReport{Problems: []Problem{}, Damaged: []Damage{}, Repaired: []Problem{}, Nested: []Nested{}},
		needs:  map[string]*need{}, seenParts: map[partKey]bool{}, multiPartFiles: map[string]*manifest.File{},
	}
}

// pass looks at the archive once and, with Repair, puts back what it finds missing or damaged.
func (v *verifyRun) pass(ctx context.Context) error {
	start := time.Now()
	if v.o.Repair != nil {
		if err := v.repairLedger(ctx); err != nil {
			return err
		}
	}
	if err := v.readManifests(ctx); err != nil {
		return err
	}
	o := v.o
	whole := len(o.Snapshots) == 0 && (o.Proof || o.Sample > 0 || o.ReadData || o.Repair != nil)
	var before *manifest.Proof
	if whole && v.head.hasProofs {
		var err error
		if before, err = v.previousProof(ctx); err != nil {
			return err
		}
	}
	if err := v.listObjects(ctx); err != nil {
		return err
	}
	if err := v.checkEmpty(ctx, before); err != nil {
		return err
	}
	if o.Checksums && !o.ReadData {
		if err := v.askChecksums(ctx); err != nil {
			return err
		}
	}
	if o.ReadData || o.Sample > 0 {
		v.pickSample()
		if err := v.readData(ctx); err != nil {
			return err
		}
	}
	v.report.Unopened, v.report.UnopenedBytes = int(v.undecrypted.parts.Load()), v.undecrypted.bytes.Load()
	if v.report.Unopened > 0 {
		v.report.Recipients = slices.Concat(v.recipients...)
		slices.Sort(v.report.Recipients)
		v.report.Recipients = slices.Compact(v.report.Recipients)
	}
	if err := v.dropProblemsOfPruned(ctx); err != nil {
		return err
	}
	if whole {
		v.mergePreviousFindings(before, false)
	}
	if o.Repair != nil {
		if err := v.repair(ctx, o.Repair); err != nil {
			return err
		}
		if v.rerun {
			return nil
		}
	}
	if whole {
		v.countCoverage(start)
	}
	v.finish()
	if whole && o.Proof && v.head.archiveID() != "" {
		if err := v.storeProof(ctx, start); err != nil {
			v.report.Unproven = err.Error()
		}
	}
	return nil
}

// WithDecoder is the same archive with identities that open what is encrypted.
func (a *Archive) WithDecoder(d *encoding.Decoder) *Archive {
	b := a.withoutCache()
	b.decoder = d
	return b
}

// withoutCache is the same archive with nothing remembered, so that all is read again.
func (a *Archive) withoutCache() *Archive {
	return &Archive{store: a.store, codec: a.codec, transfers: a.transfers, limiter: a.limiter, state: a.state, log: a.log, progress: a.progress, encoder: a.encoder, decoder: a.decoder}
}

type verifyRun struct {
	*Archive
	o               *VerifyOptions
	report          *VerifyReport
	head            *head                  // as it was when the manifests were read
	refs            map[int64]manifest.Ref // what later manifests, or the ledger, say of manifests
	*repairProgress                        // what earlier passes of a repair have done
	mergedProofs    map[string]bool        // the proofs that were taken into account
	greatest        int64                  // the greatest number that an object was stored for
	rerun           bool                   // something was put back that names what was not looked at yet
	hasMixedIDs     bool                   // the manifests do not agree whose the archive is
	readTimes       readTimes              // when objects were last read back
	needs           map[string]*need
	order           []int64 // the snapshots that were read, newest first
	// recipients are to whom those are encrypted.
	recipients [][]string
	seenParts  map[partKey]bool
	// multiPartFiles are the files of several parts, by name and hash: each part may be right
	// and the whole wrong.
	multiPartFiles map[string]*manifest.File
	latest         latest // with Repair: what was created last

	mu sync.Mutex // guards report and needs while several goroutines look
}

func (v *verifyRun) addProblem(p Problem) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := v.needs[p.Object]; n != nil {
		n.bad = true
		for _, s := range n.spans {
			p.Snapshots = append(p.Snapshots, v.order[s.from:s.to]...)
		}
		for _, part := range n.parts {
			if p.What != "content" && !slices.Contains(p.Files, part.file) { // there, it is said which
				p.Files = append(p.Files, part.file)
			}
		}
	}
	v.report.Problems = append(v.report.Problems, p)
}

// readManifests reads every manifest that was asked for, newest first, checks the chain
// from each to its parent, and notes what they need.
func (v *verifyRun) readManifests(ctx context.Context) error {
	h, hasManifests, err := v.readHead(ctx)
	if err != nil {
		return err
	}
	if !hasManifests && !h.exists() {
		return v.nothing()
	}
	v.head = h
	if h.record != nil {
		for _, k := range h.record.Kept {
			v.refs[k.Sequence] = k.Ref
		}
	}
	wanted, err := v.selectedNumbers(ctx, h)
	if err != nil {
		return err
	}
	c := chain{v: v, head: h, seen: v.loadPin(h.archiveID())}
	for f, err := range v.numbers(ctx, manifest.ManifestsPrefix, manifest.ParseManifestKey) {
		if err != nil {
			return err
		}
		if !h.record.ValidNumber(f.n) || (wanted != nil && !wanted[f.n]) {
			continue
		}
		v.noteCreated(&f.object)
		if err := c.next(ctx, f.n, wanted == nil); err != nil {
			return err
		}
	}
	c.checkForeign()
	if wanted == nil {
		if err := c.end(ctx); err != nil {
			return err
		}
		v.rememberHead(ctx, h)
	} else if h.id != nil {
		v.rememberSeen(ctx, h.id.ID, nil)
	}
	return nil
}

func (v *verifyRun) selectedNumbers(ctx context.Context, h *head) (map[int64]bool, error) {
	if len(v.o.Snapshots) == 0 {
		return nil, nil
	}
	wanted := map[int64]bool{}
	for _, s := range v.o.Snapshots {
		n, err := v.resolve(ctx, h, s)
		if err != nil {
			return nil, err
		}
		wanted[n] = true
	}
	return wanted, nil
}

// dropProblemsOfPruned takes back what is wrong with snapshots that were pruned while Verify looked at
// them: their objects may go at any time.
func (v *verifyRun) dropProblemsOfPruned(ctx context.Context) error {
	if len(v.report.Problems) == 0 {
		return nil
	}
	now, err := v.rereadLedger(ctx)
	if err != nil || now.ledger == v.head.ledger {
		return err
	}
	pruned := func(n int64) bool { return !v.head.record.Lacks(n) && now.record.Lacks(n) }
	v.report.Problems = slices.DeleteFunc(v.report.Problems, func(p Problem) bool {
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
	slices.SortFunc(v.report.Problems, func(a, b Problem) int {
		if c := strings.Compare(a.Object, b.Object); c != 0 {
			return c
		}
		return strings.Compare(a.What, b.What)
	})
	slices.SortFunc(v.report.Damaged, func(a, b Damage) int { return strings.Compare(a.File, b.File) })
	for _, d := range v.report.Damaged {
		slices.Sort(d.Snapshots)
	}
}
