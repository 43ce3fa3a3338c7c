package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/service/hook"
)

// atTheEnd is how long the second command may take when the program was told to end, which
// has ten seconds in all.
const atTheEnd = 4 * time.Second

// run makes a snapshot, with the configured commands before and after it. The second runs
// whenever the first ended well, so that it can undo what that one did.
func (j *job) run(ctx context.Context, to *opened, log *slog.Logger) (res *archive.BackupResult, err error) {
	if err := j.command(ctx, j.commandTimeout, "before", j.before); err != nil {
		return nil, fmt.Errorf("no snapshot was made, as the command before it failed: %w", err)
	}
	defer func() {
		// Also when the run was stopped: what the first command did must be undone.
		timeout := j.commandTimeout
		if ctx.Err() != nil {
			timeout = min(timeout, atTheEnd)
		}
		if failed := j.command(context.WithoutCancel(ctx), timeout, "after", j.after, result(res, err)...); failed != nil {
			log.Warn("the command after the snapshot failed", "archive", j.name, "error", failed)
		}
	}()
	src, err := j.openSource()
	if err != nil {
		return nil, err
	}
	return to.Backup(ctx, src, j.o)
}

// command runs one of them, unless there is none or nothing is to be done.
func (j *job) command(ctx context.Context, timeout time.Duration, when, line string, more ...string) error {
	if line == "" || j.o.DryRun {
		return nil
	}
	env := append([]string{"STRONGROOM_ARCHIVE=" + j.name, "STRONGROOM_SOURCE=" + j.dir, "STRONGROOM_WHEN=" + when}, more...)
	return hook.Run(ctx, hook.Command{Line: line, Timeout: timeout, Env: env})
}

// result tells the second command how it went.
func result(res *archive.BackupResult, err error) []string {
	switch {
	case err != nil:
		return []string{"STRONGROOM_RESULT=failed"}
	case !res.Committed:
		return []string{"STRONGROOM_RESULT=unchanged"}
	}
	return []string{"STRONGROOM_RESULT=made", "STRONGROOM_SNAPSHOT=" + strconv.FormatInt(res.Snapshot.Sequence, 10)}
}
