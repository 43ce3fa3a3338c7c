//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// profile is where the processor time of strongroom and of floor copy goes, from samples that perf takes of the
// processor clock, in user and system mode. The binaries need their symbols.
type profile struct {
	file  string // perf's
	bars  []bar
	count int // rounds
}

// bar is the processor time of one program at one step, in seconds, by the groups of groupNames.
type bar struct {
	step, program string
	groups        [len(groupNames)]float64
}

const sampleRate = 997 // samples per second; not a divisor of the kernel's own clock

// profileAll profiles A, B and C, prints a table, and draws the chart in a file.
func profileAll(binary, chart string) error {
	b, err := newBench(binary)
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.scratch)
	b.peers = nil
	p := &profile{file: filepath.Join(b.scratch, "perf.data")}
	for _, w := range workloads(b.small) {
		if w.name != "A" && w.name != "B" && w.name != "C" {
			continue
		}
		w.steps = slices.DeleteFunc(w.steps, func(s step) bool { return s.do == "again" || s.do == "sample" })
		if err := b.profile(p, &w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	p.printTable(os.Stdout)
	return os.WriteFile(chart, []byte(p.svg()), 0o644)
}

// profile runs the rounds of one workload.
func (b *bench) profile(p *profile, w *workload) error {
	scratch := filepath.Join(b.scratch, "w")
	defer b.retire(scratch)
	dir := filepath.Join(scratch, "files")
	if err := w.makeFiles(dir); err != nil {
		return err
	}
	programs := slices.DeleteFunc(b.participants(w), func(p program) bool {
		return p.name != "floor copy" && p.name != "strongroom"
	})
	p.count = b.runs
	for i := range b.runs {
		fmt.Fprintf(os.Stderr, "bench: profile of %s, run %d of %d\n", w.name, i+1, b.runs)
		r := &round{
			number: i, server: newServer(b.endpoint), endpoint: b.endpoint, dir: dir,
			scratch: filepath.Join(scratch, "round"), cpus: b.cpus, profile: p, retire: b.retire,
		}
		if err := r.run(w, programs); err != nil {
			return err
		}
		for _, one := range r.results {
			if one.Failed != "" {
				return errors.New(one.Program + ": " + one.Failed)
			}
		}
	}
	return nil
}

// record makes a command run below perf.
func (p *profile) record(c *exec.Cmd) {
	perf := []string{
		"perf", "record", "--quiet", "--event", "cpu-clock", "--freq", fmt.Sprint(sampleRate), "--call-graph", "fp",
		"--output", p.file, "--",
	}
	c.Args = append(perf, c.Args...)
}

// add adds the samples of a command that has ended.
func (p *profile) add(step, program string) error {
	script := exec.Command("perf", "script", "--input", p.file, "--fields", "comm,period,ip,sym")
	script.Stderr = os.Stderr
	out, err := script.StdoutPipe()
	if err != nil {
		return err
	}
	if err := script.Start(); err != nil {
		return err
	}
	groups, err := readSamples(out)
	if err := errors.Join(err, script.Wait()); err != nil {
		return fmt.Errorf("reading the samples: %w", err)
	}
	i := slices.IndexFunc(p.bars, func(b bar) bool { return b.step == step && b.program == program })
	if i < 0 {
		i = len(p.bars)
		p.bars = append(p.bars, bar{step: step, program: program})
	}
	for g, seconds := range groups {
		p.bars[i].groups[g] += seconds
	}
	return nil
}

// readSamples reads what perf script writes: for each sample a line with its period, one for each function of the
// stack, the innermost first, and an empty one.
func readSamples(from io.Reader) (groups [len(groupNames)]float64, err error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	var seconds float64
	var stack []string
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0:
			if seconds > 0 {
				groups[groupOf(stack)] += seconds
			}
			seconds, stack = 0, stack[:0]
		case seconds == 0:
			var nanoseconds int64
			if _, err := fmt.Sscan(fields[len(fields)-1], &nanoseconds); err != nil {
				return groups, fmt.Errorf("%q has no period", lines.Text())
			}
			seconds = float64(nanoseconds) / 1e9
		case len(fields) > 1:
			stack = append(stack, strings.Join(fields[1:], " "))
		}
	}
	return groups, lines.Err()
}

var groupNames = [...]string{"SHA-256", "network", "files", "copying", "memory", "scheduling", "rest"}

const (
	hashing = iota
	networking
	filing
	copying
	memory
	scheduling
	rest
)

// groupParts are the parts of functions' names that show a group. A name that has parts of two groups is in the first.
var groupParts = []struct {
	group int
	parts []string
}{
	{networking, []string{"tcp_", "inet_", "sock_", "__sys_sendto", "__sys_recvfrom", "net_rx_action", "__sys_connect"}},
	{memory, []string{
		"page_fault", "_mmap", "_munmap", "_madvise", "runtime.mallocgc", "runtime.makeslice", "runtime.growslice",
		"runtime.newstack", "runtime.gcBgMarkWorker", "runtime.gcAssist", "runtime.gcStart", "runtime.bgsweep",
		"runtime.bgscavenge",
	}},
	{scheduling, []string{
		"futex", "epoll", "nanosleep", "sched_yield", "ret_from_fork", "runtime.schedule", "runtime.findRunnable",
		"runtime.park_m", "runtime.goexit0", "runtime.sysmon", "runtime.ready", "runtime.wakep", "runtime.notewakeup",
	}},
	{filing, []string{
		"vfs_", "ext4_", "filemap_", "path_openat", "ksys_", "_sys_openat", "_sys_newfstatat", "_sys_getdents",
		"_sys_rename", "_sys_fsync", "_sys_syncfs", "_sys_linkat", "_sys_unlink", "_sys_mkdir", "_sys_close",
		"_sys_fchmod", "_sys_utimensat", "_sys_fallocate",
	}},
}

// groupOf returns the group of a stack of functions, the innermost first. The first function that belongs to a group
// decides; for those of the program, only the innermost decides whether it hashes or copies.
func groupOf(stack []string) int {
	if len(stack) == 0 {
		return rest
	}
	switch inner := stack[0]; {
	case contains(inner, "sha256"):
		return hashing
	case contains(inner, "runtime.memmove", "runtime.memclr"):
		return copying
	}
	for _, name := range stack {
		for _, one := range groupParts {
			if contains(name, one.parts...) {
				return one.group
			}
		}
	}
	return rest
}

func contains(name string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(name, part) })
}

// printTable writes the bars in milliseconds of one round.
func (p *profile) printTable(to io.Writer) {
	fmt.Fprintf(to, "| milliseconds of CPU | | all | %s |\n|---|---|%s\n",
		strings.Join(groupNames[:], " | "), strings.Repeat("---:|", 1+len(groupNames)))
	for _, b := range p.bars {
		fmt.Fprintf(to, "| %s | %s | %.0f |", b.step, b.program, b.total()/float64(p.count)*1000)
		for _, seconds := range b.groups {
			fmt.Fprintf(to, " %.0f |", seconds/float64(p.count)*1000)
		}
		fmt.Fprintln(to)
	}
}

func (b *bar) total() (sum float64) {
	for _, seconds := range b.groups {
		sum += seconds
	}
	return sum
}
