package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/internal/snapshots"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// Reencrypt copies the snapshots of the archive from to the archive to. It reads them with the identities of
// from, and stores them with the settings of to: for other recipients, compressed or not. Times, names and
// contents stay the same.
//
// The result is a new archive with its own id and chain, and with numbers without gaps. The field tool of each
// new snapshot names its original, so that the same call continues an interrupted one. The report lists the
// original numbers of the copied snapshots, also with an error. Errors: those of Restore and Backup,
// ErrOverlap, and ErrNoCopy if the target has other snapshots.
func Reencrypt(ctx context.Context, from, to *Archive, o values.CopyOptions) (*values.CopyReport, error) {
	defer from.repo.Begin()()
	defer to.repo.Begin()()
	r := &values.CopyReport{Snapshots: []int64{}, Problems: []values.Problem{}, Warnings: []string{}}
	if err := from.repo.CheckCopy(to.repo); err != nil {
		return r, err
	}
	from = from.withoutCache()
	done, err := reencrypted(ctx, from, to, r)
	if err != nil {
		return r, err
	}
	room := newStagingArea(o.Scratch)
	all, err := snapshots.List(ctx, from.repo, 0)
	if err != nil {
		return r, fmt.Errorf("the source: %w", err)
	}
	for i := range all {
		n := all[i].Sequence
		if n <= done {
			continue
		}
		err := reencryptOne(ctx, from, to, n, &o, room, r)
		if errors.Is(err, errDropped) {
			continue // it was pruned after it was listed; the next one can be copied
		}
		if err != nil {
			return r, fmt.Errorf("snapshot %d: %w", n, err)
		}
	}
	return r, nil
}

var madeFrom = regexp.MustCompile(` from ([0-9a-f-]{36})@([0-9]+)$`)

// reencrypted returns the original's number of the target's newest snapshot; zero if the target has none.
func reencrypted(ctx context.Context, from, to *Archive, r *values.CopyReport) (int64, error) {
	source, err := snapshots.Snapshot(ctx, from.repo, values.Selector{})
	if err != nil {
		return 0, fmt.Errorf("the source: %w", err)
	}
	newest, err := snapshots.Snapshot(ctx, to.repo, values.Selector{})
	if errors.Is(err, values.ErrNoArchive) {
		if _, err := nested.CheckApart(ctx, to.repo.Objects); err != nil { // also of a dry run
			return 0, fmt.Errorf("the target: %w", err)
		}
		return 0, nil
	}
	if errors.Is(err, values.ErrNoSnapshot) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("the target: %w", err)
	}
	r.Archive, r.Newest = newest.Archive, newest.Sequence
	made := madeFrom.FindStringSubmatch(newest.Tool)
	if made == nil || made[1] != source.Archive {
		return 0, fmt.Errorf("%w: its newest snapshot %d was made by %s", values.ErrNoCopy, newest.Sequence, newest.Tool)
	}
	n, err := strconv.ParseInt(made[2], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the target's newest snapshot %d: %w", newest.Sequence, err)
	}
	m, err := snapshots.Snapshot(ctx, from.repo, values.Selector{Sequence: n})
	if errors.Is(err, values.ErrNoSnapshot) {
		return n, nil // it was pruned from the source after it was copied
	}
	if err == nil {
		err = holdsTheSame(m, newest)
	}
	if err != nil {
		return 0, fmt.Errorf("snapshot %d: %w", n, err)
	}
	return n, nil
}

// errDropped: the source has pruned a snapshot before it was copied.
var errDropped = errors.New("the source has dropped it")

func reencryptOne(
	ctx context.Context, from, to *Archive, n int64, o *values.CopyOptions, room *stagingArea, r *values.CopyReport,
) error {
	m, err := snapshots.Snapshot(ctx, from.repo, values.Selector{Sequence: n})
	if errors.Is(err, values.ErrNoSnapshot) {
		return fmt.Errorf("%w: %w", errDropped, err)
	}
	if err != nil {
		return err
	}
	if o.DryRun {
		r.Snapshots, r.Bytes = append(r.Snapshots, n), r.Bytes+m.Counts.AddedBytes
		return nil
	}
	if o.Thaw != nil {
		if err := thaw.Files(ctx, from.repo.Objects, m.Files, o.Thaw); err != nil {
			return err
		}
	}
	src, err := newSnapshotSource(from, m, room)
	if err != nil {
		return err
	}
	src.thaw = o.Thaw
	res, err := to.backup(ctx, src, backupOptions{
		BackupOptions: values.BackupOptions{
			Node: m.Node, Tool: fmt.Sprintf("%s from %s@%d", o.Tool, m.Archive, n), Force: true,
			Acceptance: values.Acceptance{Accept: values.Guards()},
		},
		onto: &r.Newest, // another copy may have copied later snapshots already
	})
	if errors.Is(err, values.ErrNoSnapshot) { // it was pruned while it was read
		return fmt.Errorf("%w: %w", errDropped, err)
	}
	if err != nil {
		return err
	}
	made, err := snapshots.Snapshot(ctx, to.repo, values.Selector{Sequence: res.Snapshot.Sequence})
	if err != nil {
		return err
	}
	if err := holdsTheSame(m, made); err != nil {
		return err
	}
	r.Archive, r.Newest = made.Archive, made.Sequence
	r.Snapshots, r.Objects, r.Bytes = append(r.Snapshots, n), r.Objects+res.Sent, r.Bytes+res.SentBytes
	r.Adopted += res.Adopted
	return nil
}

// holdsTheSame returns ErrDamaged if a snapshot and its copy differ in files.
func holdsTheSame(m, made *manifest.Manifest) error {
	if !slices.EqualFunc(m.Files, made.Files, func(a, b manifest.File) bool {
		return a.Name == b.Name && a.SHA256 == b.SHA256 && a.Size == b.Size && a.State == b.State
	}) {
		return fmt.Errorf("its copy, snapshot %d of the target, has other content: %w", made.Sequence, values.ErrDamaged)
	}
	return nil
}

// snapshotSource is a Source that reads the files of a snapshot.
type snapshotSource struct {
	from   *Archive
	m      *manifest.Manifest
	layout source.Layout
	room   *stagingArea
	// thaw is how what must be thawed is thawed. If it is nil, the error is a FrozenError.
	thaw *values.ThawOptions
	// fetch returns the content of a file.
	fetch func(ctx context.Context, f *manifest.File) (*stagedObject, error)
}

func newSnapshotSource(from *Archive, m *manifest.Manifest, room *stagingArea) (*snapshotSource, error) {
	o := source.LayoutOptions{Name: m.Layout}
	switch m.Layout {
	case "files":
		o.Pattern = ".*"
	case "segments":
		o.Pattern = "(.*)" // the manifest states which of them is the newest
	case "je", "noxu":
		o.NoEntries = !slices.ContainsFunc(m.Files, func(f manifest.File) bool { return f.Check != nil })
	}
	layout, err := source.NewLayout(o)
	if err != nil {
		return nil, fmt.Errorf("its layout: %w", err)
	}
	s := &snapshotSource{from: from, m: m, layout: layout, room: room}
	s.fetch = s.fetchOwn
	return s, nil
}

// fetchOwn reads a file from the archive of the snapshot.
func (s *snapshotSource) fetchOwn(ctx context.Context, f *manifest.File) (*stagedObject, error) {
	to, content, err := s.room.newObject(ctx, f.Size)
	if err != nil {
		return nil, err
	}
	err, thawErr := thaw.ReadThawing(ctx, s.from.repo.Objects, f, s.thaw, func() error {
		return s.from.repo.FetchFile(ctx, nil, f, &partWriter{to: to})
	})
	if err = cmp.Or(thawErr, err); err != nil {
		content.release()
		if s.thaw == nil {
			err = thaw.ExplainFrozen(ctx, s.from.repo.Objects, s.m.Files, err)
		}
		return nil, s.from.repo.ExplainDamage(ctx, s.m, err)
	}
	return content, nil
}

// Layout implements Source.
func (s *snapshotSource) Layout() source.Layout { return s.layout }

// agrees compares files by their hashes, which both manifests contain. The original may have files that changed
// without a change of size and time; the local state of the database's host recognized them.
func (s *snapshotSource) agrees(f *source.File, was *manifest.File) bool {
	e := scan.Entry(s.m.Files, f.Name)
	return e != nil && e.SHA256 == was.SHA256
}

// Capture implements Source.
func (s *snapshotSource) Capture(ctx context.Context, _ func(source.File) bool) (*source.Capture, error) {
	files := make([]source.File, len(s.m.Files))
	for i := range s.m.Files {
		f := &s.m.Files[i]
		files[i] = source.File{Name: f.Name, Size: f.Size, Modified: f.Modified, State: source.Closed}
		if f.State == manifest.Tail {
			files[i].State = source.Tail
		}
	}
	return source.NewCapture(files, s.m.Created, func(f source.File) (source.Content, error) {
		content, err := s.fetch(ctx, scan.Entry(s.m.Files, f.Name))
		if err != nil {
			return nil, err
		}
		return &fetchedContent{content, sync.OnceFunc(content.release)}, nil
	}), nil
}

// fetchedContent is the content of a file that was read from an archive. It never changes.
type fetchedContent struct {
	*stagedObject
	release func()
}

func (f *fetchedContent) Close() error {
	f.release()
	return nil
}

func (f *fetchedContent) Unchanged() error { return nil }
