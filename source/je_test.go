package source_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/jetest"
)

// copyOut writes what a capture holds to a new directory.
func copyOut(t *testing.T, c *source.Capture) string {
	t.Helper()
	to := t.TempDir()
	for _, f := range c.Files {
		content, err := c.Open(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(to, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(out, io.NewSectionReader(content, 0, f.Size))
		if err != nil || n != f.Size {
			t.Fatalf("%s: copied %d of %d bytes: %v", f.Name, n, f.Size, err)
		}
		if err := content.Unchanged(); err != nil {
			t.Fatal(err)
		}
		out.Close()
		content.Close()
	}
	return to
}

// Whatever the cleaner does, a captured set opens and holds every record as it was at one moment,
// not before the capture began.
func TestCaptureRealJE(t *testing.T) {
	t.Parallel()
	const seed = 7
	dir := filepath.Join(t.TempDir(), "env")
	churn := jetest.StartChurn(t, dir, seed, 0)
	churn.Await(20000) // the cleaner is at work from here on
	layout, err := source.Detect(dir)
	if err != nil || layout.Name() != "je" {
		t.Fatal(layout.Name(), err)
	}
	d, err := source.Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		before := churn.Committed()
		c, err := d.Capture(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		churn.Await(before + 6000) // long enough for files of the set to be deleted
		gone := 0
		for _, f := range c.Files {
			if _, err := os.Stat(filepath.Join(dir, f.Name)); err != nil {
				gone++
			}
		}
		to := copyOut(t, c)
		c.Close()
		got := jetest.Check(t, to, seed)
		t.Logf("%d files, %d deleted before they were read; committed %d before, %d in the set", len(c.Files), gone, before, got)
		if got < before {
			t.Errorf("the set holds %d operations, but %d were committed before the capture", got, before)
		}
	}
	want := churn.Stop()
	if got := jetest.Count(t, dir); got != want {
		t.Errorf("after the churn: %+v, want %+v", got, want)
	}
}

// A copy of a crashed JE's files recovers to exactly the records that were committed.
func TestCaptureCrashedJE(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "env")
	jetest.Write(t, dir, 8000, 1)
	want := jetest.Crash(t, dir, 3000, 2)
	layout, err := source.NewLayout(source.LayoutOptions{Name: "je"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := source.Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Capture(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := jetest.Count(t, copyOut(t, c)); got != want {
		t.Errorf("restored: %+v, want %+v", got, want)
	}
}
