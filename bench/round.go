//go:build linux

package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// round is one run of a workload: all programs do each step, one right after the other, so that changes on the
// machine affect them equally.
type round struct {
	number       int
	server       *server
	counter      *counter // counts traffic instead of time; nil measures time
	endpoint     string
	dir, scratch string
	cpus         processors
	profile      *profile // nil for none
	retire       func(dir string) error

	results []result // so far
}

// run does all steps. The results are in r.results, also those of a program that failed.
func (r *round) run(w *workload, programs []program) error {
	defer r.retire(r.scratch)
	grown := filepath.Join(r.dir, grownName)
	os.Remove(grown)
	places := make([]*place, len(programs))
	defer func() {
		for i, p := range places {
			r.leave(&programs[i], p)
		}
	}()
	for i := range programs {
		p, err := r.enter(i, &programs[i])
		if p != nil {
			places[i] = p
		}
		if err != nil {
			return fmt.Errorf("preparing %s: %w", programs[i].name, err)
		}
	}
	for n, s := range w.steps {
		switch s.do {
		case "grow":
			if err := makeFile(grown, 1<<20+r.number, 10<<20, false); err != nil {
				return err
			}
			time.Sleep(untilClosed)
		case "list":
			for i := range programs {
				if programs[i].list == nil {
					continue
				}
				if err := r.server.history(places[i].bucket+"/archive", 5000); err != nil {
					return err
				}
			}
		}
		for i := range programs {
			i = (i + r.number) % len(programs) // another program is first in each round
			if places[i] == nil {
				continue
			}
			r.step(w, s, &programs[i], places[i])
			if !programs[i].joinsAny(w.steps[n+1:]) { // its objects need space
				at := places[i]
				places[i] = nil
				if err := r.leave(&programs[i], at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// enter makes a program's place.
func (r *round) enter(i int, program *program) (*place, error) {
	p := &place{endpoint: r.endpoint, bucket: fmt.Sprintf("bench-%d", i), dir: r.dir}
	p.scratch = filepath.Join(r.scratch, fmt.Sprint(i))
	if err := os.MkdirAll(p.scratch, 0o755); err != nil {
		return nil, err
	}
	if _, err := r.server.done(http.MethodPut, p.bucket, nil, nil, 0); err != nil {
		return nil, err
	}
	if program.prepare != nil {
		for _, c := range program.prepare(p) {
			if _, err := r.measure(c, ""); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// leave ends what a program left running and removes its bucket. It does nothing if p is nil.
func (r *round) leave(program *program, p *place) error {
	if p == nil {
		return nil
	}
	if err := p.service.stop(); err != nil {
		return fmt.Errorf("%s: %w", program.name, err)
	}
	return r.server.drop(p.bucket)
}

// grownName sorts after all others.
const grownName = "99999999.log"

// joins reports whether a program takes part in an operation.
func (p *program) joins(do string) bool {
	switch do {
	case "backup":
		return p.backup != nil || p.start != nil
	case "again", "grow":
		return (p.backup != nil || p.start != nil) && !p.floor
	case "list":
		return p.list != nil
	case "restore":
		return p.restore != nil
	case "restore one":
		return p.one != nil
	case "cat":
		return p.cat != nil
	case "verify":
		return p.verify != nil
	case "sample":
		return p.sample != nil
	}
	return false
}

func (p *program) joinsAny(steps []step) bool {
	return slices.ContainsFunc(steps, func(s step) bool { return p.joins(s.do) })
}

// command returns the command for an operation that the program joins. middle is the name of one of the files.
func (p *program) command(do string, at *place, middle, target string) *exec.Cmd {
	switch do {
	case "list":
		return p.list(at)
	case "restore":
		return p.restore(at, target)
	case "restore one":
		return p.one(at, middle, target)
	case "cat":
		return p.cat(at, middle)
	case "verify":
		return p.verify(at)
	case "sample":
		return p.sample(at)
	}
	return p.backup(at)
}

// step makes one program do a step. A failure is a result, and ends the program's part in the round.
func (r *round) step(w *workload, s step, p *program, at *place) {
	if at.broken || !p.joins(s.do) {
		return
	}
	_ = syncAll(r.dir) // what others wrote; a restore would wait for that
	if r.counter != nil {
		r.counter.reset()
	}
	out := result{Step: s.name, Program: p.name}
	u, err := r.use(w, s, p, at)
	switch {
	case err != nil:
		out.Failed, at.broken = err.Error(), true
	case u == nil:
		return
	case r.counter != nil:
		t := r.counter.traffic()
		out.Traffic = &t
	default:
		out.Usage = u
	}
	r.results = append(r.results, out)
}

// use runs a program for a step. It returns nil for the first run of a service, which is not measured.
func (r *round) use(w *workload, s step, p *program, at *place) (*usage, error) {
	if p.start != nil {
		if at.service != nil {
			u, err := at.service.backup()
			return &u, err
		}
		var err error
		at.service, err = p.start(r, at)
		return nil, err
	}
	target, middle := filepath.Join(at.scratch, "restored"), fileName(w.files/2)
	defer r.retire(target)
	synced := ""
	if p.unsynced && s.do == "restore" {
		synced = at.scratch
	}
	c := p.command(s.do, at, middle, target)
	if r.profile != nil {
		r.profile.record(c)
	}
	u, err := r.measure(c, synced)
	if err == nil && r.profile != nil {
		err = r.profile.add(s.name, p.name)
	}
	if err == nil && r.number == 0 {
		err = restored(s.do, at.dir, target, middle)
	}
	return &u, err
}

// restored compares what an operation restored, if it did, with the originals.
func restored(do, want, got, one string) error {
	switch do {
	case "restore":
		return same(want, got)
	case "restore one":
		return sameFile(want, got, one)
	}
	return nil
}

// same compares the restored files with the originals.
func same(want, got string) error {
	files, err := os.ReadDir(want)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := sameFile(want, got, f.Name()); err != nil {
			return err
		}
	}
	return nil
}

func sameFile(want, got, name string) error {
	a, err := hashed(filepath.Join(want, name))
	if err != nil {
		return err
	}
	b, err := hashed(filepath.Join(got, name))
	if err != nil {
		return err
	}
	if a != b {
		return fmt.Errorf("%s differs after the restore", name)
	}
	return nil
}

func hashed(name string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	h.Sum(sum[:0])
	return sum, err
}
