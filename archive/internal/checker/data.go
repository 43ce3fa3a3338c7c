package checker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// readData fetches and hashes every part once. The pages were read already.
func (v *verifyRun) readData(ctx context.Context) error {
	for _, n := range v.needs {
		for _, p := range n.parts {
			if !n.bad && !n.skip && !n.read {
				objects.AddTotals(v.repo.Progress, 1, p.part.Size)
			}
		}
	}
	read := func(ctx context.Context, key string, n *need) error {
		if n.skip || n.read {
			return nil
		}
		return v.readNeed(ctx, key, n)
	}
	// An object may be frozen after it was listed, and a thawed copy may end before it is read.
	for tries := 0; ; tries++ {
		if err := v.thawNeeds(ctx); err != nil {
			return err
		}
		if err := v.each(ctx, read); err != nil {
			return err
		}
		if !v.retryFrozen(tries) {
			break
		}
		if err := objects.Pause(ctx, tries); err != nil {
			return err
		}
	}
	return v.readMultiPart(ctx)
}

// readNeed reads an object back and counts it.
func (v *verifyRun) readNeed(ctx context.Context, key string, n *need) error {
	err := v.readObject(ctx, key, n)
	if errors.Is(err, store.ErrFrozen) {
		v.skipFrozen(n)
		return nil
	}
	if errors.Is(err, values.ErrNoIdentity) && len(n.spans) > 0 {
		first := n.spans[0].from
		err = repo.EncryptedTo(v.order[first], v.recipients[first], err)
	}
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.ReadObjects++
	v.report.ReadStored += n.size
	n.read = true
	return nil
}

// readObject fetches and hashes all parts of an object that snapshots need.
func (v *verifyRun) readObject(ctx context.Context, key string, n *need) error {
	files := make([]manifest.File, len(n.parts)) // each part as if it were a file
	for i, p := range n.parts {
		files[i] = manifest.File{Name: p.file, Size: p.part.Size, SHA256: p.part.SHA256, Parts: []manifest.Part{*p.part}}
	}
	for _, run := range objects.GroupByBundle(files) {
		if err := v.readRun(ctx, key, files, run); err != nil {
			return err
		}
	}
	return nil
}

// readMultiPart reads the files of several parts again, as a restore would. Problems of single parts were
// reported already.
func (v *verifyRun) readMultiPart(ctx context.Context) error {
	for _, f := range v.multiPartFiles {
		if slices.ContainsFunc(f.Parts, func(p manifest.Part) bool {
			n := v.needs[p.Object]
			return n.bad || n.skip || objects.Encrypted(p.Encoding) && !v.repo.Decoder.Opens()
		}) {
			continue
		}
		err, thawErr := thaw.ReadThawing(ctx, v.repo.Objects, f, v.o.Thaw, func() error { return v.readWhole(ctx, f) })
		switch {
		case thawErr != nil:
			return fmt.Errorf("thawing what is to be read back: %w", thawErr)
		case errors.Is(err, store.ErrFrozen): // its parts were read, each by itself
			v.skipFrozen(v.needs[f.Parts[len(f.Parts)-1].Object])
		case errors.Is(err, values.ErrDamaged):
			v.addProblem(values.Problem{Object: f.Parts[0].Object, Kind: values.ProblemContent, Detail: err.Error(), Files: []string{f.Name}})
		case err != nil:
			return err
		}
	}
	return nil
}

// readWhole fetches and hashes one file.
func (v *verifyRun) readWhole(ctx context.Context, f *manifest.File) error {
	if err := v.slots.Acquire(ctx); err != nil {
		return err
	}
	defer v.slots.Release()
	return v.repo.FetchFile(ctx, v.spare(), f, objects.Discard{})
}

// spare returns the slots for ranges of large objects. Transfers that archives share have none to spare.
func (v *verifyRun) spare() *objects.Slots {
	if v.repo.IsLimited() {
		return nil
	}
	return v.slots
}

// readRun fetches and hashes parts that are adjacent in an object.
func (v *verifyRun) readRun(ctx context.Context, key string, files []manifest.File, run []int) error {
	together := v.repo.OpenBundle(ctx, v.spare(), files, run)
	defer together.Close()
	for _, i := range run {
		f := &files[i]
		err := together.Fetch(ctx, f, objects.Discard{})
		objects.FileDone(v.repo.Progress)
		switch {
		case errors.Is(err, values.ErrDamaged):
			detail := strings.TrimPrefix(err.Error(), f.Name+": "+key+", ")
			v.addProblem(values.Problem{Object: key, Kind: values.ProblemContent, Detail: detail, Files: []string{f.Name}})
		case err != nil:
			return err
		default:
			v.mu.Lock()
			v.report.ReadBytes += f.Size
			v.mu.Unlock()
		}
	}
	return nil
}
