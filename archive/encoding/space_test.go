package encoding

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Where scratch files share the database's disk, or another one on which space must stay free, a
// large object is encoded as long as the reserve stays. Otherwise hosts with one disk could not
// encode large files at all, or a full disk would stop the database.
func TestScratchFilesLeaveAReserve(t *testing.T) {
	t.Parallel()
	const size = 100_000
	for what, c := range map[string]struct {
		shared  bool  // with the database
		reserve int64 // of the limits
		free    int64
		refused bool
	}{
		"beside the database, with space":       {true, 0, MinFree + 2*size, false},
		"beside the database, into its reserve": {true, 0, MinFree + size/2, true},
		"apart, without a reserve":              {false, 0, 2 * size, false},
		"apart, too little":                     {false, 0, size / 2, true},
		"with a reserve of its own":             {false, 1 << 30, 1<<30 + size/2, true},
		"with a larger reserve of its own":      {true, 1 << 30, MinFree + 2*size, true},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			database := "/proc"
			if c.shared {
				database = t.TempDir()
			}
			b := mustBudget(t, Limits{Memory: 1, Scratch: t.TempDir(), Reserve: c.reserve})
			b.scratch.free = func(string) (int64, error) { return c.free, nil }
			e, err := New(Settings{Budget: b, Database: database})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.TryScratch(size); c.refused != errors.Is(err, ErrNoSpace) {
				t.Errorf("TryScratch: %v", err)
			}
			x, err := e.Encode(t.Context(), bytes.NewReader(random(size)), size, manifest.Plain)
			if c.refused != errors.Is(err, ErrNoSpace) || !c.refused && err != nil {
				t.Errorf("Encode: %v", err)
			}
			if err == nil {
				err = x.Close()
				if err != nil {
					t.Error(err)
				}
			}
			idle(t, e, 1)
		})
	}
}

// What fits the memory needs no scratch file, however full the disk is.
func TestSmallObjectsNeedNoReserve(t *testing.T) {
	t.Parallel()
	b := mustBudget(t, Limits{Scratch: t.TempDir(), Reserve: 1 << 40})
	e, err := New(Settings{Budget: b})
	if err != nil {
		t.Fatal(err)
	}
	x, err := e.Encode(t.Context(), bytes.NewReader(random(1000)), 1000, manifest.Plain)
	if err != nil || e.NeedsScratch(1000) || !e.NeedsScratch(64<<20) || e.CheckScratch() != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

// The database may use up the space while an object is written, or while it is sent. Then the
// scratch files are given up, and their space is free again.
func TestScratchFilesAreGivenUp(t *testing.T) {
	t.Parallel()
	const size = 20 << 20
	open := func(free func(string) (int64, error)) *Encoder {
		b := mustBudget(t, Limits{Memory: 1, Scratch: t.TempDir(), Reserve: MinFree})
		b.scratch.free = free
		e, err := New(Settings{Budget: b})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	checks := 0
	e := open(func(string) (int64, error) {
		if checks++; checks > 3 {
			return MinFree - 1, nil
		}
		return MinFree + 2*size, nil
	})
	var read counter
	_, err := e.Encode(t.Context(), io.TeeReader(bytes.NewReader(random(size)), &read), size, manifest.Plain)
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "given up") || read > 3*checkEvery {
		t.Errorf("while it is written: after %d bytes: %v", read, err)
	}
	idle(t, e, 1)

	free := int64(MinFree + 2*size)
	e = open(func(string) (int64, error) { return free, nil })
	x, err := e.Encode(t.Context(), bytes.NewReader(random(size)), size, manifest.Plain)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.CheckScratch(); err != nil {
		t.Errorf("with space: %v", err)
	}
	free = MinFree - 1
	if err := e.CheckScratch(); !errors.Is(err, ErrNoSpace) {
		t.Errorf("while it is sent: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	if err := e.CheckScratch(); err != nil { // no file of this Encoder takes any space
		t.Errorf("afterwards: %v", err)
	}
	idle(t, e, 1)
}

type counter int

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// The default directory is part of the local state, which may not exist before the first backup.
// It is made when a file needs it, and not by a check.
func TestScratchDirectoryIsMade(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	b, err := NewBudget(Limits{Memory: 1, Scratch: filepath.Join(state, "scratch"), MakeScratch: true})
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Settings{Budget: b})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.TryScratch(1000); err != nil || e.Space().Free <= 0 {
		t.Errorf("%v, %+v", err, e.Space())
	}
	if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a check makes the directory: %v", err)
	}
	x, err := e.Encode(t.Context(), bytes.NewReader(random(1000)), 1000, manifest.Plain)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(b.scratch.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	// A file in its place is an error that names it.
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.scratch.dir = filepath.Join(blocked, "scratch")
	for what, err := range map[string]error{
		"TryScratch": e.TryScratch(1000),
		"Encode": func() error {
			_, err := e.Encode(t.Context(), bytes.NewReader(random(1000)), 1000, manifest.Plain)
			return err
		}(),
	} {
		if err == nil || !strings.Contains(err.Error(), blocked) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
