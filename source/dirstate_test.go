package source

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestGlance(t *testing.T) {
	t.Parallel()
	d := newDir(t, LayoutOptions{Name: "bdb"}, "log.0000000001", "log.0000000002", "log.0000000003")
	// All of it happened a while ago, as far as the directory is concerned.
	d.hooks.now = func() time.Time { return time.Now().Add(time.Minute) }
	glance := func() *DirState {
		t.Helper()
		c := capture(t, d, nil)
		defer c.Close()
		g := d.State(c)
		if !g.Unchanged() {
			t.Fatal("it changes by itself")
		}
		return g
	}
	g := glance()
	appendTo(t, d, "log.0000000003", "more")
	if g.Unchanged() {
		t.Error("a write to the newest file is not noticed")
	}
	g = glance()
	if err := os.WriteFile(filepath.Join(d.path, "log.0000000004"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if g.Unchanged() {
		t.Error("a new file is not noticed")
	}
	g = glance()
	remove(t, d, "log.0000000001")
	if g.Unchanged() {
		t.Error("a missing file is not noticed")
	}
	g = glance()
	if err := os.RemoveAll(d.path); err != nil {
		t.Fatal(err)
	}
	if g.Unchanged() {
		t.Error("the loss of all files is not noticed")
	}
}

// A file that changed a moment ago may change again without a trace.
func TestGlanceIsNotTrustedTooEarly(t *testing.T) {
	t.Parallel()
	d := newDir(t, LayoutOptions{Name: "bdb"}, "log.0000000001", "log.0000000002")
	c := capture(t, d, nil)
	defer c.Close()
	if d.State(c).Unchanged() {
		t.Error("it trusts what is new")
	}
}
