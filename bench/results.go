//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// result is a line of the file of results: what one program used at one step in one round. A line with an empty step
// ends the round.
type result struct {
	setting
	Workload string        `json:"workload"`
	Round    int           `json:"round"`
	Began    time.Time     `json:"began"` // the round
	Step     string        `json:"step,omitempty"`
	Program  string        `json:"program,omitempty"`
	Usage    *usage        `json:"usage,omitempty"`
	Traffic  *traffic      `json:"traffic,omitempty"` // in place of usage, in the round that counts requests
	Failed   string        `json:"failed,omitempty"`
	Took     time.Duration `json:"took_ns,omitempty"` // the whole round, at its end
}

// setting is what must be the same for results that are compared.
type setting struct {
	Scale   string `json:"scale"`            // full or small
	Pinned  bool   `json:"pinned,omitempty"` // clients and server have processors of their own
	Build   string `json:"build"`            // of strongroom: the beginning of the SHA-256 of its binary
	Machine string `json:"machine"`
}

// results are those of one setting, in a file to which each one is added at once. A later run with the same file
// continues after the last whole round.
type results struct {
	setting setting
	file    string
	all     []result // of whole rounds
}

// openResults reads the results of a setting from a file. The file need not exist.
func openResults(file string, of setting) (*results, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	all, err := readResults(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r := &results{setting: of, file: file}
	for _, one := range all {
		if one.setting == of {
			r.all = append(r.all, one)
		}
	}
	return r, nil
}

// readResults returns the results of whole rounds in a file, with the lines that end them.
func readResults(file string) ([]result, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []result
	lines := bufio.NewReader(f)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a line without an end is of a run that was stopped
		}
		if err != nil {
			return nil, err
		}
		var one result
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, n, err)
		}
		all = append(all, one)
	}
	type round struct {
		setting
		workload string
		number   int
		began    int64
	}
	of := func(r result) round { return round{r.setting, r.Workload, r.Round, r.Began.UnixNano()} }
	whole := map[round]bool{}
	for _, r := range all {
		if r.Step == "" {
			whole[of(r)] = true
		}
	}
	var kept []result
	for _, r := range all {
		if whole[of(r)] {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// has reports whether a round was run to its end.
func (r *results) has(workload string, round int) bool {
	for _, one := range r.all {
		if one.Workload == workload && one.Round == round && one.Step == "" {
			return true
		}
	}
	return false
}

// add adds the lines to the file. The last one may end a round.
func (r *results) add(lines ...result) error {
	f, err := os.OpenFile(r.file, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := trimLine(f); err != nil {
		return err
	}
	out := json.NewEncoder(f)
	for i := range lines {
		lines[i].setting = r.setting
		if err := out.Encode(&lines[i]); err != nil {
			return err
		}
	}
	return f.Close()
}

// trimLine leaves the position at the end of the last whole line of a file, and removes what follows.
func trimLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	end := info.Size()
	for one := make([]byte, 1); end > 0; end-- {
		if _, err := f.ReadAt(one, end-1); err != nil {
			return err
		}
		if one[0] == '\n' {
			break
		}
	}
	if err := f.Truncate(end); err != nil {
		return err
	}
	_, err = f.Seek(end, io.SeekStart)
	return err
}

// machine returns the shape of this machine.
func machine() string {
	model, kib, first, last := "", int64(0), 0, runtime.NumCPU()-1
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(b), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.TrimLeft(line, "\t :")
		}
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		fmt.Sscanf(string(b), "MemTotal: %d kB", &kib)
	}
	if a, b, err := onlineProcessors(); err == nil { // this process may be limited to some of them
		first, last = a, b
	}
	return fmt.Sprintf("%d cores (%s), %.0f GiB, linux/%s, %s",
		last-first+1, model, float64(kib)/(1<<20), runtime.GOARCH, runtime.Version())
}
