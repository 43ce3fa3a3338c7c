// Command release builds the files of a release: static programs for all systems in archives with manual pages,
// completions and licenses, Debian and RPM packages, bills of materials and checksums.
//
//	release -root . -version v0.1.0 -out dist
//
// The same commit and version give the same bytes, whatever the directory, the host and the time are. The time in the
// files is SOURCE_DATE_EPOCH or, without it, that of the commit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// allTargets are the systems and processors that a release is for.
const allTargets = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,freebsd/amd64,freebsd/arm64"

// release is what to build.
type release struct {
	root    string // the directory of the source
	version string // such as v0.1.0
	out     string // the directory for the files
	targets []target
	date    time.Time // in the files
}

// target is a system and a processor, as Go names them.
type target struct{ os, arch string }

func main() {
	r := &release{}
	flag.StringVar(&r.root, "root", ".", "the `directory` of the source")
	flag.StringVar(&r.version, "version", "", "the `version`, such as v0.1.0")
	flag.StringVar(&r.out, "out", "dist", "the new or empty `directory` for the files")
	targets := flag.String("targets", allTargets, "the systems and processors, with commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := r.prepare(ctx, *targets)
	if err == nil {
		err = r.build(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// prepare checks the flags, and fills in what they leave open.
func (r *release) prepare(ctx context.Context, targets string) error {
	for one := range strings.SplitSeq(targets, ",") {
		system, arch, ok := strings.Cut(one, "/")
		if !ok {
			return fmt.Errorf("-targets: %q is not a system and a processor, such as linux/amd64", one)
		}
		r.targets = append(r.targets, target{system, arch})
	}
	var err error
	if r.root, err = filepath.Abs(r.root); err != nil {
		return fmt.Errorf("-root: %w", err)
	}
	if r.date, err = dateOf(ctx, r.root); err != nil {
		return err
	}
	if err := errors.Join(r.checkVersion(), r.checkCommitted(ctx)); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	there, err := os.ReadDir(r.out)
	if err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	if len(there) > 0 {
		return fmt.Errorf("-out: %s is not empty; remove it, or name another directory", r.out)
	}
	return nil
}

// aVersion matches a version. What follows its number marks a trial, such as v0.1.0+7f8f99b.
var aVersion = regexp.MustCompile(`^(v\d+\.\d+\.\d+)([-+][0-9A-Za-z.+-]+)?$`)

// checkVersion returns an error if the changelog does not have the version.
func (r *release) checkVersion() error {
	m := aVersion.FindStringSubmatch(r.version)
	if m == nil {
		return fmt.Errorf("-version: %q is not a version, such as v0.1.0", r.version)
	}
	changes, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return fmt.Errorf("reading the changelog: %w", err)
	}
	if !strings.Contains(string(changes), "\n## ["+m[1]+"] - ") {
		return fmt.Errorf("CHANGELOG.md has no heading for %s; write ## [%s] and the date above its changes", m[1], m[1])
	}
	return nil
}

// checkCommitted returns an error for a release of files that are in no commit, so that no user can build it again. A
// version with a suffix may have them, and so may a source without git, such as an unpacked archive of it. The user's
// settings of git hide nothing: go build includes files that they exclude.
func (r *release) checkCommitted(ctx context.Context) error {
	if m := aVersion.FindStringSubmatch(r.version); m == nil || m[2] != "" {
		return nil
	}
	switch _, err := os.Lstat(filepath.Join(r.root, ".git")); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("reading what is not committed: %w", err)
	}
	changed, err := git(ctx, r.root, "-c", "core.fsmonitor=false", "status", "--porcelain", "--untracked-files=no",
		"--ignore-submodules=none")
	if err != nil {
		return fmt.Errorf("reading what is not committed: %w", err)
	}
	// Only the source's own .gitignore excludes files here: core.excludesFile and .git/info/exclude do not.
	added, err := git(ctx, r.root, "ls-files", "--others", "--exclude-per-directory=.gitignore")
	if err != nil {
		return fmt.Errorf("reading what is not committed: %w", err)
	}
	if line, _, _ := strings.Cut(changed+added, "\n"); line != "" {
		return fmt.Errorf("the source has changes that are not committed, such as %q; commit them, or try %s+trial",
			line, r.version)
	}
	return nil
}

// git returns what git prints about a repository. An error has git's own message.
func git(ctx context.Context, root string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("git: %w: %s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	return string(out), err
}

// dateOf returns the time for the files of a release.
func dateOf(ctx context.Context, root string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		out, err := git(ctx, root, "log", "-1", "--format=%ct", "--no-show-signature")
		if err != nil {
			return time.Time{}, fmt.Errorf("reading the time of the commit: %w; set SOURCE_DATE_EPOCH", err)
		}
		text = strings.TrimSpace(out)
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
