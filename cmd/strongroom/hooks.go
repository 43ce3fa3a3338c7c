package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/hook"
	"github.com/strongroom-dev/strongroom/source"
)

// hookShutdownTimeout is how long the second command may take when the program was told to end, which
// has ten seconds in all.
const hookShutdownTimeout = 4 * time.Second

// A group is the backups of one database to several destinations, or to one: those that run
// at the same time have one capture, and one run of the commands.
type group = source.SharedCapture[backupOutcome]

// backupOutcome is what came of one of them.
type backupOutcome struct {
	name  string
	begun bool // the first command, if any, ended well
	res   *archive.BackupResult
	err   error // with neither, it panicked
}

func (r backupOutcome) failed() bool { return r.err != nil || r.res == nil }

// hookGroups are those of a service, by the database that they are of.
type hookGroups struct {
	mu  sync.Mutex
	all map[string]*group
}

// of gives the group of an archive, which has so many members as the configuration says.
func (g *hookGroups) of(c *config.Config, one *config.Archive) *group {
	size := 0
	for i := range c.Archives {
		if entryOf(&c.Archives[i]) == entryOf(one) {
			size++
		}
	}
	key := groupKey(one)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = map[string]*group{}
	}
	if g.all[key] == nil {
		g.all[key] = source.NewSharedCapture[backupOutcome](size)
	}
	g.all[key].Resize(size)
	return g.all[key]
}

// groupKey tells groups apart: of another directory there is another capture.
func groupKey(one *config.Archive) string { return fmt.Sprintf("%s %+v", entryOf(one), one.Source) }

// set has the groups be those of another configuration: archives that did not change go on
// with the group that they have, and wait for nobody who is not there any more.
func (g *hookGroups) set(c *config.Config) {
	stay := map[string]bool{}
	for i := range c.Archives {
		stay[groupKey(&c.Archives[i])] = true
		g.of(c, &c.Archives[i])
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.all, func(key string, _ *group) bool { return !stay[key] })
}

// entryOf is the name in the configuration file of what the archive belongs to.
func entryOf(one *config.Archive) string { return cmp.Or(one.Group, one.Name) }

// run makes a snapshot, with the configured commands before and after it. The second runs
// whenever the first ended well, so that it can undo what that one did: after the last of
// those that the first one ran for.
func (j *job) run(ctx context.Context, to *openArchive, log *slog.Logger) (res *archive.BackupResult, err error) {
	m := j.group.Enter()
	begun := false
	defer func() {
		all := m.Leave(backupOutcome{j.name, begun, res, err})
		if slices.ContainsFunc(all, func(r backupOutcome) bool { return r.begun }) {
			j.afterwards(ctx, all, log)
		}
	}()
	if err := m.Begin(ctx, func() error { return j.command(ctx, j.commandTimeout, "before", j.before) }); err != nil {
		return nil, fmt.Errorf("no snapshot was made, as the command before it failed: %w", err)
	}
	begun = true
	src, err := j.openSource()
	if err != nil {
		return nil, err
	}
	return to.Backup(ctx, &shared{Directory: src, member: m}, j.o)
}

// shared is a source whose captures are those of a group.
type shared struct {
	*source.Directory
	member *source.Participant[backupOutcome]
}

// Capture implements archive.Source.
func (s *shared) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	return s.member.Capture(ctx, s.Directory, want)
}

// afterwards runs the second command, also when the run was stopped: what the first one did
// must be undone.
func (j *job) afterwards(ctx context.Context, all []backupOutcome, log *slog.Logger) {
	ctx, done := outlive(ctx)
	defer done()
	if failed := j.command(ctx, j.commandTimeout, "after", j.after, result(all)...); failed != nil {
		log.Warn("the command after the snapshot failed", "archive", j.entry, "error", failed)
	}
}

// outlive is a context that ends some time after ctx does, or when done is called.
func outlive(ctx context.Context) (longer context.Context, done func()) {
	longer, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(hookShutdownTimeout)
		defer t.Stop()
		select {
		case <-t.C:
			end(fmt.Errorf("it took longer than %v after the program was told to end, and was ended", hookShutdownTimeout))
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); end(nil) }
}

// command runs one of them, unless there is none or nothing is to be done.
func (j *job) command(ctx context.Context, timeout time.Duration, when, line string, more ...string) error {
	if line == "" || j.o.DryRun {
		return nil
	}
	env := append([]string{"STRONGROOM_ARCHIVE=" + j.entry, "STRONGROOM_SOURCE=" + j.dir, "STRONGROOM_WHEN=" + when}, more...)
	return hook.Run(ctx, hook.Command{Line: line, Timeout: timeout, Env: env})
}

// result tells the second command how it went: failed if it did anywhere, and the numbers of
// the snapshots that were made, in the order of the destinations.
func result(all []backupOutcome) []string {
	slices.SortFunc(all, func(a, b backupOutcome) int { return strings.Compare(a.name, b.name) })
	how, numbers := "unchanged", []string{}
	for _, r := range all {
		if !r.failed() && r.res.Committed {
			how = "made"
			numbers = append(numbers, strconv.FormatInt(r.res.Snapshot.Sequence, 10))
		}
	}
	if slices.ContainsFunc(all, backupOutcome.failed) {
		how = "failed"
	}
	env := []string{"STRONGROOM_RESULT=" + how}
	if len(numbers) > 0 {
		env = append(env, "STRONGROOM_SNAPSHOT="+strings.Join(numbers, " "))
	}
	return env
}
