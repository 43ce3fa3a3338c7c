// Package soaktest runs the random proofs of the tests. One duration and one seed drive all
// of them:
//
//	make check               few rounds, the same ones each time
//	make test                a fixed sample of rounds, the same ones each time
//	make soak SOAK=10m       new rounds until the time is over
//
// A round gets a seed and must be deterministic for it, as far as the system permits. The seed of a round that
// fails in a soak is appended to testdata/soak/<test>.seeds in the directory of its package; every later run of
// that test begins with the seeds in that file. If the process ends within a round, .ci/soak appends the seed.
package soaktest

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The environment that make soak sets.
const (
	envDuration = "STRONGROOM_SOAK"         // the time of each proof, for time.ParseDuration; unset disables soaks
	envSeed     = "STRONGROOM_SOAK_SEED"    // an unsigned integer
	envReport   = "STRONGROOM_SOAK_REPORT"  // a file to which each proof appends one line of JSON
	envRunning  = "STRONGROOM_SOAK_RUNNING" // a directory in which each proof has a file with the seed of its round
)

// proofs lists the tests that call this package, one for each line: package and name. make soak runs these tests.
//
//go:embed proofs.txt
var proofs string

// Duration returns the time of the running proof in a soak, and whether this is a soak.
func Duration(t testing.TB) (time.Duration, bool) {
	t.Helper()
	text := os.Getenv(envDuration)
	if text == "" {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("%s=%q is not a duration above zero", envDuration, text)
	}
	return d, true
}

// fullTime is the shortest time of a proof in a soak that runs at full size.
const fullTime = 30 * time.Second

// IsFull reports whether a proof runs at its full size: in a soak that gives each proof half a
// minute or more.
func IsFull(t testing.TB) bool {
	t.Helper()
	d, isSoak := Duration(t)
	return isSoak && d >= fullTime
}

// Rounds runs a proof. With -short or the race detector it runs check rounds, otherwise test rounds, and in a soak
// rounds with new seeds until the time is over. It begins with the seeds of rounds that failed before, and stops at
// the first round that fails.
func Rounds(t *testing.T, check, test int, round func(t *testing.T, seed uint64)) {
	t.Helper()
	requireListed(t)
	p := &proof{t: t}
	t.Cleanup(p.end)
	for _, seed := range failedSeeds(t) {
		p.run(seed, round)
	}
	limit, isSoak := Duration(t)
	if !isSoak {
		n := test
		if testing.Short() || Racing {
			n = check
		}
		for seed := range uint64(n) {
			p.run(seed, round)
		}
		return
	}
	p.soak = true
	seeds := seedSource(t)
	for start := time.Now(); time.Since(start) < limit; {
		p.run(seeds.Uint64(), round)
	}
}

// SkipIfRacing skips a test with the race detector. It is for tests in which nothing runs side by side that other tests
// of the package do not run side by side, too: the detector makes them ten times slower and finds nothing more.
func SkipIfRacing(t testing.TB) {
	t.Helper()
	if Racing {
		t.Skip("other tests run the same goroutines: run without -race")
	}
}

// For returns the duration of a proof without rounds: test, or its time in a soak. Such a proof takes its random
// numbers from Seed.
func For(t *testing.T, test time.Duration) time.Duration {
	t.Helper()
	requireListed(t)
	t.Cleanup((&proof{t: t}).end)
	if d, ok := Duration(t); ok {
		return d
	}
	return test
}

// Seed returns the seed of a proof without rounds. Outside a soak it is fixed.
func Seed(t testing.TB) uint64 {
	if _, ok := Duration(t); !ok {
		return 1
	}
	return seedSource(t).Uint64()
}

// seedSource returns random numbers that depend on the soak's seed and the test's name.
func seedSource(t testing.TB) *rand.Rand {
	t.Helper()
	text := os.Getenv(envSeed)
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q is not an unsigned integer", envSeed, text)
	}
	name := fnv.New64a()
	name.Write([]byte(t.Name()))
	return rand.New(rand.NewPCG(seed, name.Sum64()))
}

// A proof is one run of a test that calls Rounds or For.
type proof struct {
	t       *testing.T
	soak    bool
	seed    uint64 // of the present round
	running bool
	rounds  int64
}

func (p *proof) run(seed uint64, round func(*testing.T, uint64)) {
	p.t.Helper()
	p.seed, p.running = seed, true
	if p.soak {
		p.note()
	}
	round(p.t, seed)
	if p.t.Failed() {
		p.t.FailNow() // end reports the seed
	}
	p.running = false
	p.rounds++
}

// end runs after the test has ended, whether it passed or failed.
func (p *proof) end() {
	p.forget()
	if p.t.Failed() && p.running {
		p.t.Logf("the round with seed %d failed", p.seed)
		if p.soak {
			p.keepSeed()
		}
	}
	if p.rounds > 0 {
		Count(p.t, "rounds", p.rounds)
	}
	counts := takeCounts(p.t.Name())
	p.t.Logf("%s", describe(counts))
	if path := os.Getenv(envReport); path != "" {
		if err := report(path, p.t.Name(), p.t.Failed(), counts); err != nil {
			p.t.Errorf("writing the report of the soak: %v", err)
		}
	}
}

// note saves the seed of the present round for .ci/soak: end does not run if the round hangs, or takes all memory.
func (p *proof) note() {
	dir := os.Getenv(envRunning)
	if dir == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, p.t.Name()), fmt.Appendln(nil, p.seed), 0o644); err != nil {
		p.t.Fatalf("saving the seed of the round: %v", err)
	}
}

// forget removes what note saved.
func (p *proof) forget() {
	if dir := os.Getenv(envRunning); dir != "" {
		if err := os.Remove(filepath.Join(dir, p.t.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.t.Errorf("removing the saved seed: %v", err)
		}
	}
}

func (p *proof) keepSeed() {
	path := seedFile(p.t)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = appendLine(path, strconv.FormatUint(p.seed, 10))
	}
	if err != nil {
		p.t.Errorf("saving the seed that failed: %v", err)
		return
	}
	p.t.Logf("%s has the seed now: make test runs it from now on", path)
}

func seedFile(t testing.TB) string { return filepath.Join("testdata", "soak", t.Name()+".seeds") }

// Keep saves a case that failed in a soak in testdata/soak/<test>.cases, for a proof whose cases are not seeds.
// Outside a soak it does nothing.
func Keep(t testing.TB, name string) {
	t.Helper()
	if _, isSoak := Duration(t); !isSoak {
		return
	}
	path := caseFile(t)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), appendLine(path, name)); err != nil {
		t.Errorf("saving the case that failed: %v", err)
	}
}

// Kept returns the cases that Keep has saved. Every run should try them.
func Kept(t testing.TB) []string {
	t.Helper()
	return readLines(t, caseFile(t))
}

func caseFile(t testing.TB) string { return filepath.Join("testdata", "soak", t.Name()+".cases") }

func readLines(t testing.TB, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(b), "\n"), func(line string) bool { return line == "" })
}

func failedSeeds(t testing.TB) []uint64 {
	t.Helper()
	var seeds []uint64
	for _, field := range readLines(t, seedFile(t)) {
		seed, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", seedFile(t), err)
		}
		seeds = append(seeds, seed)
	}
	return seeds
}

// requireListed fails a test that make soak would not run.
func requireListed(t testing.TB) {
	t.Helper()
	for line := range strings.Lines(proofs) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[1] == t.Name() {
			return
		}
	}
	t.Fatalf("internal/soaktest/proofs.txt does not list %s", t.Name())
}

var counters struct {
	sync.Mutex
	of map[string]map[string]int64 // by test, then by what is counted
}

// Count adds n to a counter of this proof in a soak's report, such as the histories, faults, kills and
// interleavings tried. It is safe for concurrent use.
func Count(t testing.TB, what string, n int64) {
	counters.Lock()
	defer counters.Unlock()
	if counters.of == nil {
		counters.of = map[string]map[string]int64{}
	}
	test, _, _ := strings.Cut(t.Name(), "/")
	if counters.of[test] == nil {
		counters.of[test] = map[string]int64{}
	}
	counters.of[test][what] += n
}

func takeCounts(test string) map[string]int64 {
	counters.Lock()
	defer counters.Unlock()
	counts := counters.of[test]
	delete(counters.of, test)
	return counts
}

func describe(counts map[string]int64) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[what], what))
	}
	return strings.Join(parts, ", ")
}

func report(path, test string, failed bool, counts map[string]int64) error {
	b, err := json.Marshal(struct {
		Test   string           `json:"test"`
		Failed bool             `json:"failed"`
		Counts map[string]int64 `json:"counts"`
	}{test, failed, counts})
	if err != nil {
		return err
	}
	return appendLine(path, string(b))
}

// appendLine appends a line with one write, so that processes may share the file.
func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}
