package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// build builds all files of the release.
func (r *release) build(ctx context.Context) (err error) {
	work, err := os.MkdirTemp("", "strongroom-release-")
	if err != nil {
		return fmt.Errorf("making a temporary directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	shared, err := r.documents(ctx, work)
	if err != nil {
		return err
	}
	for _, t := range r.targets {
		if err := r.buildFor(ctx, t, shared, filepath.Join(work, t.os+"-"+t.arch)); err != nil {
			return fmt.Errorf("%s/%s: %w", t.os, t.arch, err)
		}
	}
	return r.writeChecksums()
}

// buildFor builds the files for one target, with a new directory for intermediate ones.
func (r *release) buildFor(ctx context.Context, t target, shared []file, work string) error {
	program := filepath.Join(work, "strongroom")
	if err := r.compile(ctx, t, program, ""); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return fmt.Errorf("reading the modules of the program: %w", err)
	}
	notices, err := r.notices(ctx, info)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("reading the program: %w", err)
	}
	files := append([]file{
		{name: "strongroom", mode: 0o755, content: content},
		{name: "NOTICES", mode: 0o644, content: notices},
	}, shared...)
	if err := r.writeArchive(t, files); err != nil {
		return err
	}
	if err := r.writeBill(t, info, content); err != nil {
		return err
	}
	if t.os != "linux" {
		return nil
	}
	return r.writePackages(t, files, work, "deb", "rpm")
}

// compile builds the program, with the same settings as make build. tag adds a build tag; "" adds none.
func (r *release) compile(ctx context.Context, t target, to, tag string) error {
	c := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags=-s -w -X main.version="+r.version, "-o", to,
		"./cmd/strongroom")
	c.Dir = r.root
	tags := "disable_grpc_modules"
	if tag != "" {
		tags += "," + tag
	}
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -tags="+tags, "GOWORK=off", "GOOS="+t.os, "GOARCH="+t.arch,
		"GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOTOOLCHAIN=local")
	return runTool(c)
}

// host is the target that this program runs on.
func host() target { return target{runtime.GOOS, runtime.GOARCH} }

// runTool runs a command, and returns its messages if it fails.
func runTool(c *exec.Cmd) error {
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(c.Args, " "), err, out)
	}
	return nil
}
