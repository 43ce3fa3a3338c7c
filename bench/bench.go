//go:build linux

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"filippo.io/age"
)

// bench is a run of this program with its options.
type bench struct {
	binary, self string
	small        bool
	runs         int
	endpoint     string // the server
	scratch      string
	todo         []workload
	peers        []peer
	cpus         processors
	results      *results
	retired      int // directories

	key      *age.X25519Identity
	identity string // the file with the key
}

// measureAll runs what the file of results lacks, and prints the tables of the file.
func measureAll(binary string) error {
	b, err := newBench(binary)
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.scratch)
	for i := range b.todo {
		if err := b.workload(&b.todo[i]); err != nil {
			return fmt.Errorf("%s: %w", b.todo[i].name, err)
		}
	}
	fmt.Fprintln(os.Stderr, "bench: the results are in", b.results.file)
	return printFiles([]string{b.results.file})
}

// newBench reads the options. The caller removes b.scratch.
func newBench(binary string) (b *bench, err error) {
	b = &bench{small: os.Getenv("BENCH_SCALE") == "small", endpoint: os.Getenv("STRONGROOM_TEST_S3"), runs: 5}
	if b.small {
		b.runs = 3
	}
	if n, err := strconv.Atoi(os.Getenv("BENCH_RUNS")); err == nil && n > 0 {
		b.runs = n
	}
	if b.binary, err = filepath.Abs(binary); err != nil {
		return nil, err
	}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.todo, err = chosen(workloads(b.small), os.Getenv("BENCH_ONLY")); err != nil {
		return nil, err
	}
	if b.peers, err = findPeers(os.Getenv("BENCH_PEERS")); err != nil {
		return nil, err
	}
	of := setting{Scale: "full", Machine: machine()}
	if b.small {
		of.Scale = "small"
	}
	if os.Getenv("BENCH_PIN") != "" {
		of.Pinned = true
		if b.cpus, err = clientProcessors(); err != nil {
			return nil, err
		}
	}
	if of.Build, err = build(b.binary); err != nil {
		return nil, err
	}
	file := os.Getenv("BENCH_RESULTS")
	if file == "" {
		file = "bench-" + time.Now().UTC().Format(time.DateOnly) + ".jsonl"
	}
	if b.results, err = openResults(file, of); err != nil {
		return nil, err
	}
	if b.scratch, err = os.MkdirTemp(os.Getenv("BENCH_DIR"), "strongroom-bench-"); err != nil {
		return nil, err
	}
	go b.endOnSignal()
	return b, b.makeKey()
}

// endOnSignal ends the bench at the first signal, without its files. The programs that it runs end with it.
func (b *bench) endOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	<-signals
	fmt.Fprintln(os.Stderr, "bench: stopped; the same call continues after the last whole round in", b.results.file)
	_ = os.RemoveAll(b.scratch)
	os.Exit(1)
}

// makeKey makes the key for encrypted backups.
func (b *bench) makeKey() (err error) {
	if b.key, err = age.GenerateX25519Identity(); err != nil {
		return err
	}
	b.identity = filepath.Join(b.scratch, "identity")
	return os.WriteFile(b.identity, []byte(b.key.String()+"\n"), 0o600)
}

// build returns the beginning of the SHA-256 of a binary.
func build(binary string) (string, error) {
	f, err := os.Open(binary)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// workload runs the rounds that the results lack: those that measure time, and without a network between also one that
// counts requests.
func (b *bench) workload(w *workload) error {
	var missing []int
	rounds := b.runs + 1
	if w.network != (network{}) {
		rounds = b.runs
	}
	for i := range rounds {
		if !b.results.has(w.name, b.number(i)) {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	scratch := filepath.Join(b.scratch, "w")
	defer b.retire(scratch)
	dir := filepath.Join(scratch, "files")
	if err := w.makeFiles(dir); err != nil {
		return err
	}
	for _, i := range missing {
		fmt.Fprintf(os.Stderr, "bench: %s  %s, run %d of %d\n", time.Now().Format(time.TimeOnly), w.name, i+1, rounds)
		if err := b.round(w, b.number(i), dir, filepath.Join(scratch, "round")); err != nil {
			return err
		}
	}
	return nil
}

// counting is the number of the round that counts requests.
const counting = -1

// number returns the number of the ith round.
func (b *bench) number(i int) int {
	if i == b.runs {
		return counting
	}
	return i
}

// round runs one round and adds its results to the file.
func (b *bench) round(w *workload, number int, dir, scratch string) error {
	r := &round{
		number: max(number, 0), server: newServer(b.endpoint), endpoint: b.endpoint, dir: dir, scratch: scratch,
		cpus: b.cpus, retire: b.retire,
	}
	if number == counting {
		c, err := newCounter(b.endpoint)
		if err != nil {
			return err
		}
		defer c.server.Close()
		r.counter, r.endpoint = c, c.address
	}
	if w.network != (network{}) {
		u, err := url.Parse(b.endpoint)
		if err != nil {
			return err
		}
		l, err := newLink(u.Host, w.network)
		if err != nil {
			return err
		}
		defer l.close()
		r.endpoint = "http://" + l.address
	}
	programs := b.participants(w)
	if number == counting {
		programs = slices.DeleteFunc(programs, func(p program) bool { return p.floor }) // one request for each file
	}
	began := time.Now().UTC().Round(time.Millisecond)
	err := r.run(w, programs)
	end := result{Took: time.Since(began).Round(time.Millisecond)}
	if err == nil {
		r.results = append(r.results, end)
	}
	for i := range r.results {
		r.results[i].Workload, r.results[i].Round, r.results[i].Began = w.name, number, began
		if failed := r.results[i].Failed; failed != "" {
			fmt.Fprintf(os.Stderr, "bench: %s, %s: %s\n", r.results[i].Step, r.results[i].Program, failed)
		}
	}
	added := b.results.add(r.results...)
	return errors.Join(err, added)
}

const littleSpace = 16 << 10 // bytes of a retired file that may stay

// retire takes a directory out of use: it empties the large files in it and renames it. Only the end of the bench
// removes it. Where ext4 has no journal, it searches past all inodes that were freed in the last minutes for each new file, so that
// files which one program restored, removed, would cost the next one several times its own work.
func (b *bench) retire(dir string) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		if info, err := entry.Info(); err != nil || info.Size() <= littleSpace {
			return err
		}
		return os.Truncate(path, 0)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	b.retired++
	to := filepath.Join(b.scratch, "retired")
	return errors.Join(err, os.MkdirAll(to, 0o755), os.Rename(dir, filepath.Join(to, strconv.Itoa(b.retired))))
}
