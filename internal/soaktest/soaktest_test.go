package soaktest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A soak that failed is repeated by its seed: the same seed must give the same rounds.
func TestSeedSourceRepeats(t *testing.T) {
	t.Setenv(envDuration, "1s")
	t.Setenv(envSeed, "7")
	a, b := Seed(t), Seed(t)
	t.Setenv(envSeed, "8")
	if c := Seed(t); a != b || a == c {
		t.Errorf("%d and %d with one seed, %d with another", a, b, c)
	}
}

// A failing seed is only worth keeping if every later run begins with it.
func TestKeptSeedsComeFirst(t *testing.T) {
	t.Chdir(t.TempDir())
	p := proof{t: t, seed: 42}
	p.keepSeed()
	p.seed = 43
	p.keepSeed()
	if got := failedSeeds(t); len(got) != 2 || got[0] != 42 || got[1] != 43 {
		t.Errorf("%d", got)
	}
}

// make soak runs what the list names, so each line must name a test that exists.
func TestEveryProofExists(t *testing.T) {
	for line := range strings.Lines(proofs) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			t.Fatalf("%q is not a package and a test", line)
		}
		files, err := filepath.Glob(filepath.Join("..", "..", fields[0], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(b), "func "+fields[1]+"(t *testing.T)")
		}
		if !found {
			t.Errorf("%s has no test %s", fields[0], fields[1])
		}
	}
}

// A round that hangs or takes all memory ends the process: its seed is in a file by then.
func TestSeedOfTheRunningRound(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(envRunning, dir)
	file := filepath.Join(dir, t.Name())
	p := proof{t: t, soak: true}
	p.run(42, func(t *testing.T, _ uint64) {
		if b, err := os.ReadFile(file); err != nil || string(b) != "42\n" {
			t.Errorf("%q, %v", b, err)
		}
	})
	p.forget()
	if _, err := os.Stat(file); err == nil {
		t.Error("the seed is left behind")
	}
}
