package checker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// storeProof stores the verification record of a verify of the whole archive. A concurrent verify may have
// stored findings about objects that this one did not read, or read earlier. The newest record must contain the
// findings of both, so storeProof merges the other records first, and checks for new ones afterwards.
func (v *verifyRun) storeProof(ctx context.Context, start time.Time) error {
	for attempt := 0; ; attempt++ {
		late, err := v.lateProofs(ctx)
		if err != nil {
			return err
		}
		if attempt > 0 && len(late) == 0 {
			return nil
		}
		if attempt == objects.RaceAttempts {
			return errors.New("other verifies keep storing verification records")
		}
		for _, p := range late {
			v.mergePreviousFindings(p, true)
			for mark, at := range readTimesOf(p) {
				if at.After(v.readTimes[mark]) {
					v.readTimes[mark] = at
				}
			}
		}
		v.countCoverage(start)
		v.finish()
		if err := v.putProofs(ctx, start); err != nil {
			return err
		}
	}
}

func (v *verifyRun) putProofs(ctx context.Context, start time.Time) error {
	p := manifest.Proof{
		Archive: v.head.ArchiveID(), Kind: manifest.ProofVerify, Created: start, DurationMS: time.Since(start).Milliseconds(), Tool: v.o.Tool, Outcome: manifest.OutcomeOK,
		Snapshots: int64(v.report.Snapshots), Objects: int64(v.report.Objects), Bytes: v.report.Bytes,
		ReadObjects: int64(v.report.ReadObjects), ReadBytes: v.report.ReadBytes,
	}
	for i := range v.report.Problems {
		x := &v.report.Problems[i]
		p.Outcome = manifest.OutcomeFailed
		if i >= manifest.MaxProofProblems {
			mark := manifest.KeyPrefixOf(x.Object)
			p.More = append(p.More, mark[:]...)
			continue
		}
		newest := x.Snapshots[max(0, len(x.Snapshots)-manifest.MaxProofSnapshots):]
		p.Problems = append(p.Problems, manifest.ProofProblem{Object: x.Object, What: string(x.Kind), Detail: detailOf(x), Snapshots: newest})
	}
	if v.report.ReadObjects > 0 {
		read := p
		read.Kind, read.Problems, read.More, read.Read = manifest.ProofRead, nil, nil, v.readTimes.groups()
		if err := v.putOwnProof(ctx, &read); err != nil {
			return err
		}
	}
	return v.putOwnProof(ctx, &p)
}

// detailOf returns a problem's detail for a verification record: without the result of a repair, and short
// enough for ten thousand problems in one record.
func detailOf(p *values.Problem) string {
	if r := []rune(p.Detail); len(r) > 500 {
		return string(r[:500]) + " …"
	}
	return p.Detail
}

func (v *verifyRun) putOwnProof(ctx context.Context, p *manifest.Proof) error {
	key, err := v.repo.Findings.PutProof(ctx, p)
	v.mergedProofs[key] = true
	return err
}

// previousProof reads the latest verification records from before Verify began, and what all of them name. It marks
// all existing ones as merged.
func (v *verifyRun) previousProof(ctx context.Context) (*manifest.Proof, error) {
	all, err := v.repo.Findings.Proofs(ctx)
	if err != nil {
		return nil, err
	}
	for _, of := range all {
		for _, o := range of {
			v.mergedProofs[o.Key] = true
		}
	}
	read, err := v.repo.Findings.NewestProof(ctx, all[manifest.ProofRead], manifest.ProofRead, v.head.ArchiveID())
	if err != nil {
		return nil, err
	}
	v.readTimes = readTimesOf(read)
	if v.damage, err = v.repo.Findings.DamageLogOf(ctx, v.head.ArchiveID(), all[manifest.ProofVerify]); err != nil {
		return nil, err
	}
	return v.repo.Findings.NewestProof(ctx, all[manifest.ProofVerify], manifest.ProofVerify, v.head.ArchiveID())
}

// lateProofs reads the verification records that were stored since.
func (v *verifyRun) lateProofs(ctx context.Context) (late []*manifest.Proof, err error) {
	all, err := v.repo.Findings.Proofs(ctx)
	if err != nil {
		return nil, err
	}
	for _, kind := range []string{manifest.ProofVerify, manifest.ProofRead} {
		for _, o := range all[kind] {
			if v.mergedProofs[o.Key] {
				continue
			}
			v.mergedProofs[o.Key] = true
			p, err := v.repo.Findings.ReadProof(ctx, o.Key, kind)
			if err != nil {
				return nil, err
			}
			if p != nil && p.Archive == v.head.ArchiveID() {
				late = append(late, p)
			}
		}
	}
	return late, nil
}

const foundOn = " (found on "

// mergePreviousFindings keeps another verify's problems with the content of objects that this one has not read
// since: the presence of an object does not show that its content is intact. With late, the other verify ended
// during this one, and may have read an object later than this one.
func (v *verifyRun) mergePreviousFindings(p *manifest.Proof, late bool) {
	if p == nil {
		return
	}
	found := foundOn + p.Created.Format(time.DateOnly) + ", and not read back since)"
	for i := range p.Problems {
		x := &p.Problems[i]
		kind := values.ProblemKind(x.What)
		if kind != values.ProblemContent && kind != values.ProblemChecksum {
			continue
		}
		detail := x.Detail
		if !strings.Contains(detail, foundOn) { // otherwise it has the date of the verify that found it
			detail += found
		}
		v.mergeFinding(x.Object, kind, detail, late)
	}
	if len(p.More) == 0 {
		return
	}
	more := p.More.Set()
	for key := range v.needs {
		if more[manifest.KeyPrefixOf(key)] {
			v.mergeFinding(key, values.ProblemContent, "it was wrong or missing"+found, late)
		}
	}
}

func (v *verifyRun) mergeFinding(key string, kind values.ProblemKind, detail string, late bool) {
	n := v.needs[key]
	if n == nil || n.bad || v.mended[key] || (n.read || n.settled) && !late || len(n.parts) == 0 {
		return
	}
	p := values.Problem{Object: key, Kind: kind, Detail: detail}
	for _, part := range n.parts {
		if !slices.Contains(p.Files, part.file) {
			p.Files = append(p.Files, part.file)
		}
	}
	v.addProblem(p)
}

// checkEmpty reports a problem if the archive has no snapshot although it must have had some.
func (v *verifyRun) checkEmpty(ctx context.Context) error {
	if v.report.Snapshots > 0 || len(v.report.Problems) > 0 || len(v.o.Snapshots) > 0 {
		return nil
	}
	err := v.repo.Emptied(ctx, v.head, v.greatest)
	if lost, is := errors.AsType[*repo.ErrEmptied](err); is {
		v.addProblem(values.Problem{Object: manifest.ManifestsPrefix, Kind: values.ProblemMissing, Detail: lost.Error()})
		return nil
	}
	return err
}
