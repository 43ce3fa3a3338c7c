package copier

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/strongroom-dev/strongroom/archive/internal/archiver"
	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/snapshots"
	"github.com/strongroom-dev/strongroom/archive/internal/staging"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Reencrypt implements archive.Reencrypt.
func Reencrypt(ctx context.Context, from, to *repo.Repo, o values.CopyOptions) (*values.CopyReport, error) {
	defer from.Begin()()
	defer to.Begin()()
	r := &values.CopyReport{Snapshots: []int64{}, Problems: []values.Problem{}, Warnings: []string{}}
	if err := from.CheckCopy(to); err != nil {
		return r, err
	}
	from = from.WithoutCache()
	done, err := reencrypted(ctx, from, to, r)
	if err != nil {
		return r, err
	}
	room := staging.NewArea(o.Scratch)
	all, err := snapshots.List(ctx, from, 0)
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
func reencrypted(ctx context.Context, from, to *repo.Repo, r *values.CopyReport) (int64, error) {
	source, err := snapshots.Snapshot(ctx, from, values.Selector{})
	if err != nil {
		return 0, fmt.Errorf("the source: %w", err)
	}
	newest, err := snapshots.Snapshot(ctx, to, values.Selector{})
	if errors.Is(err, values.ErrNoArchive) {
		if _, err := nested.CheckApart(ctx, to.Objects); err != nil { // also of a dry run
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
	m, err := snapshots.Snapshot(ctx, from, values.Selector{Sequence: n})
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
	ctx context.Context, from, to *repo.Repo, n int64, o *values.CopyOptions, room *staging.Area, r *values.CopyReport,
) error {
	m, err := snapshots.Snapshot(ctx, from, values.Selector{Sequence: n})
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
		if err := thaw.Files(ctx, from.Objects, m.Files, o.Thaw); err != nil {
			return err
		}
	}
	src, err := staging.NewSnapshotSource(from, m, room)
	if err != nil {
		return err
	}
	src.Thaw = o.Thaw
	res, err := archiver.Backup(ctx, to, src, archiver.Options{
		BackupOptions: values.BackupOptions{
			Node: m.Node, Tool: fmt.Sprintf("%s from %s@%d", o.Tool, m.Archive, n), Force: true,
			Acceptance: values.Acceptance{Accept: values.Guards()},
		},
		Onto: &r.Newest, // another copy may have copied later snapshots already
	})
	if errors.Is(err, values.ErrNoSnapshot) { // it was pruned while it was read
		return fmt.Errorf("%w: %w", errDropped, err)
	}
	if err != nil {
		return err
	}
	made, err := snapshots.Snapshot(ctx, to, values.Selector{Sequence: res.Snapshot.Sequence})
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
