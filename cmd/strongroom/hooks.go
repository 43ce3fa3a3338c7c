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

// hookShutdownTimeout bounds the second command after the program was stopped. The program has
// ten seconds in all.
const hookShutdownTimeout = 4 * time.Second

// A group is the backups of one database to all its destinations. Concurrent backups share one
// capture and one run of the commands.
type group = source.SharedCapture[backupOutcome]

// backupOutcome is the outcome of one backup in a group.
type backupOutcome struct {
	name  string
	begun bool // the first command succeeded, or there is none
	res   *archive.BackupResult
	err   error // if res and err are nil, the backup panicked
}

func (r backupOutcome) failed() bool { return r.err != nil || r.res == nil }

// hookGroups are the groups of a service, by groupKey. It is safe for concurrent use.
type hookGroups struct {
	mu     sync.Mutex
	all    map[string]*group
	config *config.Config // of sizes
	sizes  map[string]int // the number of destinations, by entryOf
}

// of returns the group of an archive, with one member for each destination in the configuration.
func (g *hookGroups) of(c *config.Config, one *config.Archive) *group {
	key := groupKey(one)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.all == nil {
		g.all = map[string]*group{}
	}
	if g.config != c { // once, since a configuration may have thousands of archives
		g.config, g.sizes = c, map[string]int{}
		for i := range c.Archives {
			g.sizes[entryOf(&c.Archives[i])]++
		}
	}
	size := g.sizes[entryOf(one)]
	if g.all[key] == nil {
		g.all[key] = source.NewSharedCapture[backupOutcome](size)
	}
	g.all[key].Resize(size)
	return g.all[key]
}

// groupKey identifies a group. It includes the source, since another source needs another capture.
func groupKey(one *config.Archive) string { return fmt.Sprintf("%s %+v", entryOf(one), one.Source) }

// set applies a new configuration. Archives that did not change keep their group, with its new
// number of members, so that they do not wait for a removed destination.
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

// entryOf returns the name that the archive's entry has in the configuration file.
func entryOf(one *config.Archive) string { return cmp.Or(one.Group, one.Name) }

// run makes a snapshot, with the configured commands before and after it. The second command runs
// if the first one succeeded, so that it can undo the effects of the first. It runs once, after
// the last backup of the group.
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
		return nil, fmt.Errorf("no snapshot was made, since the command before it failed: %w", err)
	}
	begun = true
	src, err := j.openSource()
	if err != nil {
		return nil, err
	}
	return to.Backup(ctx, &shared{Directory: src, member: m}, j.o)
}

// shared is a source that shares its captures with the group.
type shared struct {
	*source.Directory
	member *source.Participant[backupOutcome]
}

// Capture implements archive.Source.
func (s *shared) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	return s.member.Capture(ctx, s.Directory, want)
}

// afterwards runs the second command, even if the run was stopped: it must undo the effects of the
// first.
func (j *job) afterwards(ctx context.Context, all []backupOutcome, log *slog.Logger) {
	ctx, done := outlive(ctx)
	defer done()
	if failed := j.command(ctx, j.commandTimeout, "after", j.after, result(all)...); failed != nil {
		log.Warn("the command after the snapshot failed", "archive", j.entry, "error", failed)
	}
}

// outlive returns a context that ends hookShutdownTimeout after ctx, or when done is called.
func outlive(ctx context.Context) (longer context.Context, done func()) {
	longer, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(hookShutdownTimeout)
		defer t.Stop()
		select {
		case <-t.C:
			end(fmt.Errorf("stopped, since it took longer than %v after the program was stopped", hookShutdownTimeout))
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); end(nil) }
}

// command runs one of the commands. It runs none in a dry run.
func (j *job) command(ctx context.Context, timeout time.Duration, when, line string, more ...string) error {
	if line == "" || j.o.DryRun {
		return nil
	}
	env := append([]string{"STRONGROOM_ARCHIVE=" + j.entry, "STRONGROOM_SOURCE=" + j.dir, "STRONGROOM_WHEN=" + when}, more...)
	return hook.Run(ctx, hook.Command{Line: line, Timeout: timeout, Env: env})
}

// result returns the environment of the second command: the common result, which is "failed" if
// any backup failed, and the numbers of the new snapshots in the order of the destinations.
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
