package main

import (
	"os"
	"regexp"
	"runtime/debug"
	"testing"
)

// A user who reports a fault names a version: that of a release, of go install, or of the commit.
func TestVersion(t *testing.T) {
	t.Parallel()
	module := func(v string) *debug.BuildInfo { return &debug.BuildInfo{Main: debug.Module{Version: v}} }
	for _, one := range []struct {
		linked string
		info   *debug.BuildInfo
		want   string
	}{
		{"v0.1.0", module("(devel)"), "v0.1.0"},
		{"v0.1.0", module("v0.0.0-20261128113120-7f8f99b7819f"), "v0.1.0"},
		{"v0.1.0", nil, "v0.1.0"},
		{"", module("v0.1.0"), "v0.1.0"}, // go install …@v0.1.0
		{"", module("v0.1.1-0.20261128113120-7f8f99b7819f+dirty"), "v0.1.1-0.20261128113120-7f8f99b7819f+dirty"},
		{"", module("(devel)"), "devel"},
		{"", module(""), "devel"},
		{"", nil, "devel"},
	} {
		if got := versionOf(one.linked, one.info); got != one.want {
			t.Errorf("linked %q, build information %+v: %q, want %q", one.linked, one.info, got, one.want)
		}
	}
}

// make build takes the version of the newest heading where git has no tag, as in a clone without tags. So that heading
// must have the form of a version.
func TestChangelogNamesAVersion(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	released := regexp.MustCompile(`(?m)^## \[(v\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$`)
	all := regexp.MustCompile(`(?m)^## .*$`).FindAllString(string(b), -1)
	for i, heading := range all {
		if !released.MatchString(heading) && (i > 0 || heading != "## [Unreleased]") {
			t.Errorf("CHANGELOG.md: the heading %q has no version and date, such as ## [v0.1.0] - 2026-11-28", heading)
		}
	}
	if !released.Match(b) {
		t.Error("CHANGELOG.md names no released version")
	}
}
