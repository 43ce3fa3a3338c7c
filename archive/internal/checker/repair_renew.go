package checker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/strongroom-dev/strongroom/archive/internal/archiver"
	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/staging"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
)

// renew makes a snapshot with the files of the newest one. It takes content that the archive has lost from other
// archives of the same database, and stores it under new keys. That is for objects with encoded content: encoding it
// again gives other bytes, so the objects themselves cannot be restored, and older snapshots need a copy.
func (r *repairRun) renew(ctx context.Context) error {
	base := r.head.Base
	if base == nil || r.head.Parent == nil || *r.head.Parent != base.Ref {
		return nil
	}
	w := &renewal{repairRun: r, base: base, found: map[string]elsewhere{}, failed: map[string]error{}}
	if err := w.findFiles(ctx); err != nil {
		return err
	}
	if len(w.found) == 0 {
		return nil
	}
	err := w.makeSnapshot(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w.explain(err)
	return nil
}

// renewal is one call of renew.
type renewal struct {
	*repairRun
	base  *repo.Snapshot
	found map[string]elsewhere // by the name of a file whose content is lost

	mu     sync.Mutex
	failed map[string]error // by name: why the content could not be read there
}

// elsewhere is a file in another archive that begins with the wanted content.
type elsewhere struct {
	archive *otherArchive
	file    *manifest.File
}

// isLost reports whether an object of the newest snapshot has encoded content and could not be repaired.
func (w *renewal) isLost(key string) bool {
	n := w.needs[key]
	if n == nil || len(n.spans) == 0 || n.spans[0].from > 0 {
		return false
	}
	return slices.ContainsFunc(n.parts, func(p needPart) bool { return p.part.Encoding != manifest.Plain }) &&
		slices.ContainsFunc(w.report.Problems, func(p values.Problem) bool { return p.Object == key && p.RepairError != "" })
}

// findFiles finds the lost files of the newest snapshot in the other archives.
func (w *renewal) findFiles(ctx context.Context) error {
	lost := map[string]bool{}
	for i := range w.report.Problems {
		if key := w.report.Problems[i].Object; w.isLost(key) {
			lost[key] = true
		}
	}
	if len(lost) == 0 {
		return nil
	}
	if err := w.openOthers(ctx); err != nil {
		return err
	}
	for i := range w.base.Manifest.Files {
		f := &w.base.Manifest.Files[i]
		if !slices.ContainsFunc(f.Parts, func(p manifest.Part) bool { return lost[p.Object] }) {
			continue
		}
		for _, o := range w.others {
			there, err := o.findBeginning(ctx, f)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				w.repo.Log.Warn("another archive of the database cannot be read", "error", err)
				continue
			}
			if there != nil {
				w.found[f.Name] = elsewhere{o, there}
				break
			}
		}
	}
	return nil
}

// findBeginning returns a file with this content or, since the other archive may have a log file at a later moment, a
// longer one of this name; nil if no readable snapshot has one.
func (o *otherArchive) findBeginning(ctx context.Context, f *manifest.File) (*manifest.File, error) {
	found, err := o.find(ctx, f.Name, f.SHA256)
	if err != nil || found != nil {
		return found, err
	}
	for key, other := range o.files { // find has read all snapshots
		if key.name == f.Name && other.Size > f.Size && (found == nil || other.Size < found.Size) {
			found = other
		}
	}
	return found, nil
}

// makeSnapshot makes the snapshot. A file that cannot be read elsewhere is left as it is, and the others are tried again.
func (w *renewal) makeSnapshot(ctx context.Context) error {
	to := w.repo.WithoutCache()
	to.Sealed = localstate.NewSealedRecords(w.repo.State, w.repo.Log)
	if len(w.base.Manifest.Recipients) > 0 && (to.Encoder == nil || len(to.Encoder.Recipients()) == 0) {
		return errors.New("the newest snapshot is encrypted, and no recipients are given")
	}
	src, err := staging.NewSnapshotSource(to, w.base.Manifest, staging.NewArea(w.from.Scratch))
	if err != nil {
		return err
	}
	src.Fetch = func(ctx context.Context, f *manifest.File) (*staging.Object, error) { return w.fetch(ctx, src, f) }
	for {
		o := archiver.Options{
			BackupOptions: values.BackupOptions{
				Node: w.base.Manifest.Node, Tool: cmp.Or(w.o.Tool, w.base.Manifest.Tool), Acceptance: values.Acceptance{Accept: values.Guards()},
			},
			Onto: &w.base.Ref.Sequence, Lost: w.lostPlaces(),
		}
		if len(o.Lost) == 0 {
			return errors.Join(uniqueErrors(w.failures())...)
		}
		before := len(w.failed)
		res, err := archiver.Backup(ctx, to, src, o)
		switch {
		case err == nil:
			w.keepSourceState(&w.base.Ref, res)
			w.report.Renewed = &values.Renewed{Snapshot: res.Snapshot.Sequence}
			for i := range w.base.Manifest.Files {
				if f := &w.base.Manifest.Files[i]; w.isRenewed(f.Name) {
					w.report.Renewed.Files++
					w.report.Renewed.Bytes += f.Size
				}
			}
			return nil
		case len(w.failed) == before:
			return err
		}
	}
}

// isRenewed reports whether the snapshot has the content of a lost file again.
func (w *renewal) isRenewed(name string) bool {
	_, found := w.found[name]
	return found && w.failed[name] == nil
}

// countLeft counts the files of the newest snapshot that need an object and are not stored again.
func (w *renewal) countLeft(key string) (left int) {
	for i := range w.base.Manifest.Files {
		f := &w.base.Manifest.Files[i]
		if !w.isRenewed(f.Name) && slices.ContainsFunc(f.Parts, func(p manifest.Part) bool { return p.Object == key }) {
			left++
		}
	}
	return left
}

// failures returns why files could not be read, in the order of their names.
func (w *renewal) failures() (errs []error) {
	for _, name := range slices.Sorted(maps.Keys(w.failed)) {
		errs = append(errs, w.failed[name])
	}
	return errs
}

// lostPlaces returns the places of the files that are to be stored again.
func (w *renewal) lostPlaces() map[string]bool {
	places := map[string]bool{}
	for i := range w.base.Manifest.Files {
		f := &w.base.Manifest.Files[i]
		if !w.isRenewed(f.Name) {
			continue
		}
		for k := range f.Parts {
			if w.isLost(f.Parts[k].Object) {
				places[findings.PlaceOf(&f.Parts[k])] = true
			}
		}
	}
	return places
}

// fetch returns the content of a file: from another archive if this one has lost it.
func (w *renewal) fetch(ctx context.Context, src *staging.SnapshotSource, f *manifest.File) (*staging.Object, error) {
	there, found := w.found[f.Name]
	if !found {
		return src.FetchOwn(ctx, f)
	}
	content, err := fetchBeginning(ctx, src.Room, there, f)
	if err != nil && ctx.Err() == nil {
		w.mu.Lock()
		w.failed[f.Name] = err
		w.mu.Unlock()
	}
	return content, err
}

func fetchBeginning(ctx context.Context, room *staging.Area, there elsewhere, f *manifest.File) (*staging.Object, error) {
	to, content, err := room.NewObject(ctx, there.file.Size)
	if err != nil {
		return nil, err
	}
	err = there.archive.repo.FetchFile(ctx, nil, there.file, &staging.PartWriter{To: to})
	if err == nil {
		s := digest.New()
		if _, err = io.Copy(s, io.NewSectionReader(content, 0, f.Size)); err == nil && s.Sums().SHA256 != f.SHA256 {
			err = fmt.Errorf("the other archive has other content of %s", f.Name)
		}
	}
	if err != nil {
		content.Release()
		return nil, fmt.Errorf("another archive of the database: %w", err)
	}
	return content, nil
}

// keepSourceState keeps what this host remembers of the source's directories, since the new snapshot has the same files.
func (w *renewal) keepSourceState(was *manifest.Ref, res *values.BackupResult) {
	id := w.head.ArchiveID()
	if w.repo.State == nil || id == "" {
		return
	}
	s, err := w.repo.State.LoadSource(id)
	if err == nil && s.IsOf(*was) {
		pin, ok, pinErr := w.repo.State.LoadPin(id)
		if err = pinErr; err == nil && ok && pin.Newest.Sequence == res.Snapshot.Sequence {
			s.Snapshot, s.SHA256 = pin.Newest.Sequence, pin.Newest.SHA256.String()
			err = w.repo.State.SaveSource(id, s)
		}
	}
	if err != nil {
		w.repo.Log.Warn("the identity of the source's directories was not written", "error", err)
	}
}

// explain adds to the problems of lost objects what became of the newest snapshot.
func (w *renewal) explain(err error) {
	for i := range w.report.Problems {
		p := &w.report.Problems[i]
		if !w.isLost(p.Object) {
			continue
		}
		left := w.countLeft(p.Object)
		switch {
		case err == nil && left == 0:
			p.RepairError = fmt.Sprintf("%s; snapshot %d has the content again, from another archive of the database; %s",
				storedEncoded, w.report.Renewed.Snapshot, olderNeedCopy)
		case err == nil:
			failed := errors.Join(uniqueErrors(w.failures())...)
			p.RepairError += fmt.Sprintf("; other archives of the database lack the content of %d files", left)
			if failed != nil {
				p.RepairError += fmt.Sprintf(": %v", failed)
			}
		default:
			p.RepairError += fmt.Sprintf("; another archive of the database has it, and storing it again failed: %v", err)
		}
	}
}
