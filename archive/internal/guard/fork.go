package guard

import (
	"context"
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// CheckFork refuses a source with another history than the archive's: a clone, a second node under the same name, or a
// database that was restored in place and went on. A database that lost the end of its newest file in a crash is not
// refused. In both cases the new snapshot records the last snapshot of the other history, and a hold keeps that one.
func (r *Source) CheckFork(ctx context.Context, plan *values.Plan) error {
	parent := r.Parent()
	compared := *plan
	if !r.Layout.ChecksEntries() { // closed files that differ are reported once they are read
		compared.Upload = slices.DeleteFunc(slices.Clone(plan.Upload), func(f source.File) bool {
			was := scan.Entry(parent.Files, f.Name)
			return was == nil || was.State != manifest.Tail
		})
	}
	files, err := r.compareFiles(ctx, &compared)
	if err != nil {
		return err
	}
	r.warnIncomparable(files)
	if !r.Layout.ChecksEntries() {
		return nil
	}
	found := r.evidence()
	verdict, decisive := judgeHistory(files, &found)
	switch verdict {
	case historyRewound:
		r.RewoundFrom = &r.Head.Base.Ref
		r.warnRewound(decisive, &found)
	case historyForked:
		r.ForkedFrom = &r.Head.Base.Ref
		if r.followsRollback(files, plan) {
			return nil
		}
		return r.refuse(manifest.GuardFork, r.forkError(decisive, &found))
	}
	return nil
}

// evidence collects what decides about the base's tail, beside its content.
func (r *Source) evidence() sourceEvidence {
	parent := r.Parent()
	// A state directory without an id is new, and has made no snapshot.
	e := sourceEvidence{otherWriter: r.Repo.State != nil && parent.Writer != "" && parent.Writer != r.Writer}
	isTail := func(f *manifest.File) (string, bool) { return f.Name, f.State == manifest.Tail }
	tail, before := EndOf(r.Layout, parent.Files, isTail)
	if tail == "" || !r.Layout.KeepsTail() { // a source whose tail is left out has none
		return e
	}
	e.tail, e.sameTail, e.sameBefore = tail, r.matchFile(tail), r.matchFile(before)
	_, end, _ := r.Layout.Position(tail)
	e.tailGone = !slices.ContainsFunc(r.Capture.Files, func(f source.File) bool {
		_, n, ok := r.Layout.Position(f.Name)
		return ok && n >= end
	})
	return e
}

// EndOf returns the names of the tail and of the last closed file in a set; each is empty if there is none.
func EndOf[F any](layout source.Layout, files []F, describe func(*F) (name string, isTail bool)) (tail, closed string) {
	for i := range files {
		name, isTail := describe(&files[i])
		_, _, ordered := layout.Position(name)
		switch {
		case !ordered:
		case isTail:
			tail = name
		case closed == "" || layout.Compare(closed, name) < 0:
			closed = name
		}
	}
	return tail, closed
}

// matchFile compares the identity of a file with the one that it had when the base was made.
func (r *Source) matchFile(name string) identityMatch {
	was, known := r.Seen.Files[name]
	if !known {
		return identityUnknown
	}
	return matchIdentity(was, r.Capture.Identify(name))
}

// matchIdentity compares two identities of a name. The identifier of a file system may be another one after a restart,
// and then the creation time decides.
func matchIdentity(was, now source.DirID) identityMatch {
	switch {
	case was.Differs(now):
		return identityOther
	case was.Same(now), was.Inode != 0 && was.Inode == now.Inode && was.Born != 0 && was.Born == now.Born:
		return identitySame
	}
	return identityUnknown
}

// followsRollback reports whether an operator has accepted the cause of a fork for this run: that the source is another
// database, or that it was rolled back and went on from there.
func (r *Source) followsRollback(files []fileComparison, plan *values.Plan) bool {
	if slices.Contains(r.Accepted, manifest.GuardTakeOver) {
		return true
	}
	if !slices.Contains(r.Accepted, manifest.GuardRollback) || !hasOneBranch(files) {
		return false
	}
	first := slices.IndexFunc(files, func(f fileComparison) bool { return f.how == likeCut || f.how == likeOther })
	return first < 0 || !slices.ContainsFunc(plan.Keep, func(f *manifest.File) bool {
		return r.Layout.Compare(f.Name, files[first].name) > 0
	})
}

// forkError describes a fork by the file that shows it; nil means that the tail is gone.
func (r *Source) forkError(f *fileComparison, e *sourceEvidence) error {
	parent := r.Parent()
	const choose = "if this is a clone or a second node, choose another destination for it; " +
		"if the archive is to follow this source, accept the fork"
	by := "it is another file than then"
	switch {
	case e.otherWriter:
		by = fmt.Sprintf("another writer, on node %s, made snapshot %d", parent.Node, parent.Sequence)
	case f != nil && f.was == manifest.Closed:
		by = "it was closed then, and its database does not change it in that way"
	}
	if f == nil {
		return fmt.Errorf("%w: %s, which was being written at snapshot %d, is gone, and %s; %s",
			values.ErrForked, e.tail, parent.Sequence, by, choose)
	}
	return fmt.Errorf("%w: %s differs from snapshot %d on, which has %d bytes of it%s; %s; %s",
		values.ErrForked, f.name, f.since, f.size, f.sharedText(), by, choose)
}

// sharedText describes, after the size of a file, how much of it both versions have.
func (f *fileComparison) sharedText() string {
	switch f.shared {
	case sharedUnknown:
		return ""
	case 0:
		return ", and none of its entries is the same"
	}
	return fmt.Sprintf(", and the entries up to byte %d are the same", f.shared)
}

// warnRewound warns that the database lost the end of its newest file. If an operator accepted a rollback for this run,
// that is the cause.
func (r *Source) warnRewound(f *fileComparison, e *sourceEvidence) {
	parent := r.Parent()
	cause := "as after a power loss"
	if slices.Contains(r.Accepted, manifest.GuardRollback) {
		cause = "by the rollback that was accepted"
	}
	if f == nil {
		r.Warn("%s, which was being written at snapshot %d, is gone, %s; that snapshot is held",
			e.tail, parent.Sequence, cause)
		return
	}
	r.Warn("%s went back, %s: snapshot %d has %d bytes of it%s; "+
		"the file is stored whole, and snapshot %d is held", f.name, cause, parent.Sequence, f.size, f.sharedText(), parent.Sequence)
}

// warnIncomparable warns of files that are no longer as the base has them, if nothing shows whether another history is
// the cause.
func (r *Source) warnIncomparable(files []fileComparison) {
	parent := r.Parent()
	for i := range files {
		f := &files[i]
		if f.how != likeUnknown || f.isShorter { // TailWarning reports a shorter one
			continue
		}
		r.Warn("%s no longer begins with the %d bytes that snapshot %d has of it, and nothing shows whether this is "+
			"another history, since %s; it is stored whole", f.name, f.size, parent.Sequence, f.why)
	}
}
