package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A root is a directory that stands for a host.
type root struct {
	t   *testing.T
	dir string
}

// newRoot makes a root with what dpkg and the service need: a database of packages, certificates and a user root.
func newRoot(t *testing.T) *root {
	t.Helper()
	r := &root{t, t.TempDir()}
	if err := os.Chmod(r.dir, 0o755); err != nil { // the service's user passes through it
		t.Fatal(err)
	}
	for _, dir := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log", "etc", "tmp", "var/tmp", "var/lib/orders"} {
		if err := os.MkdirAll(filepath.Join(r.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.write("var/lib/dpkg/status", "", 0o644)
	r.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644)
	r.write("etc/group", "root:x:0:\n", 0o644)
	return r
}

func (r *root) path(name string) string { return filepath.Join(r.dir, name) }

func (r *root) write(name, text string, mode os.FileMode) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r *root) read(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(r.path(name))
	if err != nil {
		r.t.Error(err)
	}
	return string(b)
}

func (r *root) has(name string) bool {
	_, err := os.Lstat(r.path(name))
	return err == nil
}

// dpkg runs dpkg for the root. The scripts of the package run without chroot, since the root has no shell.
func (r *root) dpkg(args ...string) string {
	r.t.Helper()
	c := exec.Command("dpkg", append([]string{
		"--root=" + r.dir, "--force-script-chrootless", "--force-depends", "--force-unsafe-io", "--path-include=*",
	}, args...)...)
	c.Env = append(os.Environ(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C")
	out, err := c.CombinedOutput()
	if err != nil {
		r.t.Fatalf("dpkg %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// needDebian skips a test that installs a package where it cannot.
func needDebian(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("an installation needs Linux and root, as in .ci/run")
	}
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("an installation needs dpkg, as in .ci/run")
	}
}

// The package brings a service that runs as a user of its own. A removal, and even a purge, keeps what the operator has
// configured, the state and every archive.
func TestDebianPackage(t *testing.T) {
	needDebian(t)
	t.Parallel()
	r := newRoot(t)
	r.dpkg("--install", packageOf(t, "deb", "v0.1.0", hostProgram(t)))
	for _, name := range []string{
		"usr/bin/strongroom", "usr/lib/systemd/system/strongroom.service", "usr/lib/sysusers.d/strongroom.conf",
		"usr/share/man/man1/strongroom.1.gz", "usr/share/man/man1/strongroom-restore.1.gz",
		"usr/share/bash-completion/completions/strongroom", "usr/share/zsh/vendor-completions/_strongroom",
		"usr/share/fish/vendor_completions.d/strongroom.fish", "usr/share/doc/strongroom/examples/strongroom.yaml",
		"usr/share/doc/strongroom/copyright", "usr/share/doc/strongroom/NOTICES.gz", "usr/share/doc/strongroom/changelog.gz",
		"usr/share/doc/strongroom/CHANGELOG.md", "etc/strongroom",
	} {
		if !r.has(name) {
			t.Errorf("the package has installed no %s", name)
		}
	}
	if out := r.dpkg("--status", "strongroom"); !strings.Contains(out, "Status: install ok installed") ||
		!strings.Contains(out, "Version: 0.1.0\n") {
		t.Errorf("dpkg has another status:\n%s", out)
	}
	r.serve()

	// An upgrade keeps the configuration, and makes no second user.
	users := r.read("etc/passwd")
	r.dpkg("--install", packageOf(t, "deb", "v0.1.0+upgrade", []byte("#!/bin/sh\n")))
	if again := r.read("etc/passwd"); again != users {
		t.Errorf("the users were\n%s and are\n%s", users, again)
	}

	kept := r.kept()
	r.dpkg("--remove", "strongroom")
	if r.has("usr/bin/strongroom") || r.has("usr/lib/systemd/system/strongroom.service") || r.has("usr/share/doc/strongroom") {
		t.Error("the removal has left files of the package")
	}
	if got := r.kept(); !slices.Equal(got, kept) {
		t.Errorf("the removal has changed what is not the package's:\n%q, want\n%q", got, kept)
	}
	out := r.dpkg("--purge", "strongroom")
	if got := r.kept(); !slices.Equal(got, kept) {
		t.Errorf("the purge has changed what is not the package's:\n%q, want\n%q", got, kept)
	}
	if !strings.Contains(out, "/var/lib/strongroom is kept") || !strings.Contains(out, "/etc/strongroom is kept") {
		t.Errorf("the purge does not report what it keeps:\n%s", out)
	}
}

// kept returns the paths of the operator's files, the state and the archive, with their sizes.
func (r *root) kept() (all []string) {
	r.t.Helper()
	for _, dir := range []string{"etc/strongroom", "var/lib/strongroom", "var/lib/orders"} {
		err := filepath.WalkDir(r.path(dir), func(name string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && !d.IsDir() {
				all = append(all, strings.TrimPrefix(name, r.dir)+" "+strconv.FormatInt(info.Size(), 10))
			}
			return err
		})
		if err != nil {
			r.t.Error(err)
		}
	}
	return all
}

// A package that was installed and never used leaves nothing but the user.
func TestDebianPackageUnused(t *testing.T) {
	needDebian(t)
	t.Parallel()
	r := newRoot(t)
	r.dpkg("--install", packageOf(t, "deb", "v0.1.0", []byte("#!/bin/sh\n")))
	out := r.dpkg("--purge", "strongroom")
	if r.has("etc/strongroom") || r.has("usr/share/doc/strongroom") || r.has("var/lib/strongroom") || strings.Contains(out, "kept") {
		t.Errorf("the purge has left directories:\n%s", out)
	}
	if !strings.Contains(r.read("etc/passwd"), "\nstrongroom:") {
		t.Error("the user is gone: files of the state would belong to the next user with its number")
	}
}

// serve runs the command of the unit, as the package's user with the root as its root, until a snapshot is there.
func (r *root) serve() {
	t := r.t
	t.Helper()
	command, ok := strings.CutPrefix(lineOf(t, r.read("usr/lib/systemd/system/strongroom.service"), "ExecStart="), "ExecStart=")
	words := strings.Fields(command)
	if !ok || !r.has(words[0]) {
		t.Fatalf("the unit starts %q, which the package does not have", command)
	}
	user := strings.Split(lineOf(t, r.read("etc/passwd"), "strongroom:"), ":")
	uid, err1 := strconv.Atoi(user[2])
	gid, err2 := strconv.Atoi(user[3])
	if err1 != nil || err2 != nil || uid == 0 || user[6] != "/usr/sbin/nologin" {
		t.Fatalf("the user of the service is %q", user)
	}
	r.write("etc/strongroom/strongroom.yaml", `archives:
  - name: orders
    source: {dir: /var/lib/orders, layout: files, pattern: '.*\.log', quiet: 0s}
    destination: file:///var/lib/strongroom/archive
    schedule: "@every 1h"
`, 0o644)
	r.write("var/lib/orders/1.log", "an entry\n", 0o644)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(r.path("var/lib/orders/1.log"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.path("var/lib/strongroom"), 0o700); err != nil { // as StateDirectory= does
		t.Fatal(err)
	}
	if err := os.Chown(r.path("var/lib/strongroom"), uid, gid); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	var log bytes.Buffer
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	c.Path, c.Err = words[0], nil // below the root
	c.Dir, c.Stdout, c.Stderr = "/", &log, &log
	c.Env = []string{"STATE_DIRECTORY=/var/lib/strongroom"}
	c.SysProcAttr = serviceAttributes(r.dir, uint32(uid), uint32(gid))
	if err := c.Start(); err != nil {
		t.Fatalf("starting %s: %v", command, err)
	}
	manifests := func() int {
		found, _ := filepath.Glob(r.path("var/lib/strongroom/archive/manifests/*/*/*.json"))
		return len(found)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for manifests() == 0 && ctx.Err() == nil {
		<-tick.C
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("ending the service: %v", err)
	}
	err := c.Wait()
	if err != nil || manifests() == 0 {
		t.Errorf("%s made %d snapshots: %v\n%s", command, manifests(), err, log.String())
	}
}

// lineOf returns the only line of a text that begins so.
func lineOf(t *testing.T, text, begin string) string {
	t.Helper()
	var found []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begin) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d lines begin with %q in\n%s", len(found), begin, text)
	}
	return found[0]
}
