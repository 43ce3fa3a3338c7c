package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/store"
)

// maxReported is the number of problems of a verification that are logged one by one.
const maxReported = 20

// maxShown is the number of problems kept for the page and the API.
const maxShown = 10

func (k *managedArchive) verifyJob(one *config.Archive) scheduler.Job {
	k.use()
	v := config.Verify{}
	if one.Verify != nil {
		v = *one.Verify
	}
	return scheduler.Job{
		Name:     k.name,
		Task:     "verify",
		Schedule: schedule(v.Schedule, one.Location()),
		Version:  fmt.Sprintf("%s %+v", k.version, v),
		Jitter:   one.Jitter,
		OnDemand: v.Schedule == "",
		Run:      k.withRemedy("verify", func(ctx context.Context) (scheduler.Result, error) { return k.verify(ctx, v.Sample) }),
		Retired:  k.retired,
	}
}

// verify checks the whole archive and reads a part of it back. A found problem is a result and causes no retry.
func (k *managedArchive) verify(ctx context.Context, sample float64) (scheduler.Result, error) {
	to, err := k.open(ctx)
	if err != nil {
		return scheduler.Result{}, err
	}
	report, err := to.Verify(ctx, archive.VerifyOptions{Sample: sample, Proof: true, Tool: "strongroom " + k.d.o.Version})
	if k.isNew(err) {
		return scheduler.Result{Said: "there is nothing to verify yet"}, nil
	}
	if errors.Is(err, archive.ErrNoArchive) || errors.Is(err, store.ErrGone) {
		return k.missing(err), nil
	}
	if err != nil {
		return scheduler.Result{}, err
	}
	v := verificationOf(report, k.d.o.Now().Round(0))
	if report.Unproven != "" {
		k.d.o.Log.Warn("cannot store this verification's record in the archive",
			"archive", k.name, "error", report.Unproven)
	}
	if report.Frozen > 0 {
		k.d.o.Log.Warn("objects must be thawed at the provider before a restore", "archive", k.name,
			"objects", report.Frozen, "classes", report.FrozenClasses, "not read back", report.Unthawed)
	}
	for i, p := range report.Problems {
		if i == maxReported {
			k.d.o.Log.Error("the archive has more problems; strongroom verify lists all",
				"archive", k.name, "count", len(report.Problems))
			break
		}
		k.d.o.Log.Error("the archive has a problem",
			"archive", k.name, "object", p.Object, "what", p.Kind, "detail", p.Detail, "snapshots", p.Snapshots)
	}
	k.noteVerify(report)
	k.keepVerification(&v)
	k.drilledElsewhere(ctx, to)
	return scheduler.Result{Said: verified(&v)}, nil
}

// verificationOf returns what the page and the API show of a report.
func verificationOf(report *archive.VerifyReport, at time.Time) web.Verification {
	v := web.Verification{
		At: at, Objects: int64(report.Objects), ObjectsTotal: int64(report.Objects),
		Bytes: report.ReadStored, BytesTotal: report.Bytes, Problems: int64(len(report.Problems)),
		Unthawed:  int64(report.Unthawed),
		ReadBytes: report.Coverage.ReadBytes, ReadTotal: report.Coverage.Bytes, ReadSince: report.Coverage.Since,
	}
	for _, p := range report.Problems[:min(maxShown, len(report.Problems))] {
		v.Found = append(v.Found, problem(&p))
	}
	return v
}

// verified describes a verification in one line.
func verified(v *web.Verification) string {
	s := fmt.Sprintf("the archive was verified: %d objects, %s of %s read back, %s",
		v.Objects, web.Size(v.Bytes), web.Size(v.BytesTotal), counted(v.Problems, "problem", "problems"))
	if v.Unthawed > 0 {
		s += fmt.Sprintf("; %s could not be read back before a thaw", counted(v.Unthawed, "object", "objects"))
	}
	return s
}

// problem describes a problem in one line.
func problem(p *archive.Problem) string {
	s := string(p.Kind) + ": " + p.Object
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	switch n := len(p.Snapshots); {
	case n == 1:
		s += fmt.Sprintf(" (needed by snapshot %d)", p.Snapshots[0])
	case n > 1:
		s += fmt.Sprintf(" (needed by %d of the snapshots, %d to %d)", n, p.Snapshots[0], p.Snapshots[n-1])
	}
	return s
}

// hasHadSnapshot reports whether the archive had a snapshot when it was last read.
func (k *managedArchive) hasHadSnapshot() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.known.recoverable.At.IsZero()
}

// isNew reports whether an error only means that the archive has no snapshot yet. The remains of an archive are damage,
// also if this service has read no snapshot since its start.
func (k *managedArchive) isNew(err error) bool {
	isNew := errors.Is(err, archive.ErrNoArchive) || errors.Is(err, archive.ErrNoSnapshot)
	return isNew && !errors.Is(err, archive.ErrDamaged) && !k.hasHadSnapshot()
}

// missing returns the result of a verification that found no archive where one was: a disk that is not mounted any
// more, or worse.
func (k *managedArchive) missing(err error) scheduler.Result {
	k.d.o.Log.Error("the archive is missing", "archive", k.name, "error", err)
	k.mu.Lock()
	v := k.known.verification
	k.mu.Unlock()
	v.At, v.Objects, v.Bytes, v.Problems, v.Found = k.d.o.Now().Round(0), 0, 0, 1, []string{err.Error()}
	v.Unthawed, v.ReadBytes, v.ReadSince = 0, 0, time.Time{} // nothing that exists now was read
	k.keepVerification(&v)
	return scheduler.Result{Said: "the archive was not found any more"}
}

func (k *managedArchive) keepVerification(v *web.Verification) {
	k.mu.Lock()
	k.known.verification = *v
	k.mu.Unlock()
	k.d.state.Save(verificationFile(k.name), keptVerification{providers.Place(k.settings.Destination), *v}, func(err error) {
		k.d.o.Log.Warn("cannot save this verification's result; it is lost at a restart", "archive", k.name, "error", err)
	})
}

// noteFindings records the findings of the latest verify, such as one made by hand.
func (k *managedArchive) noteFindings(found *archive.VerifyFindings) {
	if found == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known.heard = *found
}

// latest returns the last verification, the service's own or another. What was ever read back comes from the
// service's own, the part and the whole. Another's findings have the plain bytes that were read, not the stored ones.
func (k *archiveFacts) latest() web.Verification {
	v, h := k.verification, &k.heard
	if !h.At.After(v.At) { // also for the service's own, whose At is the end and h.At the start
		return v
	}
	v.At, v.Objects, v.ObjectsTotal, v.Problems = h.At, h.Objects, h.Objects, h.Problems
	v.Bytes, v.PlainBytes, v.BytesTotal = 0, h.ReadBytes, h.Bytes
	v.Unthawed = 0 // unknown
	v.Found = nil
	for i := range h.First {
		v.Found = append(v.Found, problem(&h.First[i]))
	}
	if v.ReadTotal == 0 { // a state from before it was recorded
		v.ReadTotal = k.verification.BytesTotal
	}
	return v
}

// keptVerification is the content of the state file.
type keptVerification struct {
	Destination string           `json:"destination"` // without what may be a secret: the file outlives the configuration
	Found       web.Verification `json:"found"`
}
