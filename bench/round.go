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
	"time"
)

// round is one run of a workload: all programs do each step, one right after the other, so that changes on the
// machine affect them equally.
type round struct {
	number       int
	t            *table
	server       *server
	counter      *counter // counts traffic instead of time; nil measures time
	endpoint     string
	dir, scratch string
}

func (r *round) run(w *workload, programs []program) error {
	grown := filepath.Join(r.dir, "99999999.log")
	os.Remove(grown)
	places := make([]*place, len(programs))
	for i := range programs {
		p := &place{endpoint: r.endpoint, bucket: fmt.Sprintf("bench-%d", i), dir: r.dir, scratch: filepath.Join(r.scratch, fmt.Sprint(i))}
		places[i] = p
		if err := os.MkdirAll(p.scratch, 0o755); err != nil {
			return err
		}
		if _, err := r.server.done(http.MethodPut, p.bucket, nil, nil, 0); err != nil {
			return err
		}
		if programs[i].prepare != nil {
			for _, c := range programs[i].prepare(p) {
				if _, err := measure(c); err != nil {
					return err
				}
			}
		}
	}
	for s := range w.steps {
		switch w.steps[s].do {
		case "grow":
			if err := makeFile(grown, 1<<20+r.number, 10<<20, false); err != nil {
				return err
			}
			time.Sleep(1500 * time.Millisecond) // until it counts as closed
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
			r.step(w, s, i, &programs[i], places[i])
		}
	}
	for _, p := range places {
		if err := p.service.stop(); err != nil {
			return err
		}
		if err := r.server.drop(p.bucket); err != nil {
			return err
		}
	}
	return os.RemoveAll(r.scratch)
}

// step makes one program do a step. The table records its failure.
func (r *round) step(w *workload, s, i int, p *program, at *place) {
	var c *exec.Cmd
	target := filepath.Join(at.scratch, "restored")
	if p.start != nil {
		r.serve(w, s, i, p, at)
		return
	}
	again := s > 0 && w.steps[s].do != "list" && w.steps[s].do == "backup"
	switch do := w.steps[s].do; {
	case do == "backup" && p.backup != nil && !(again && p.floor):
		c = p.backup(at)
	case do == "grow" && p.backup != nil && !p.floor:
		c = p.backup(at)
	case do == "list" && p.list != nil:
		c = p.list(at)
	case do == "restore" && p.restore != nil:
		c = p.restore(at, target)
	case do == "verify" && p.verify != nil:
		c = p.verify(at)
	default:
		return
	}
	cell := &r.t.cells[s][i]
	if at.broken {
		return
	}
	if r.counter != nil {
		r.counter.reset()
	}
	u, err := measure(c)
	if err == nil && w.steps[s].do == "restore" && len(cell.runs) == 0 {
		err = same(at.dir, target)
	}
	os.RemoveAll(target)
	switch {
	case err != nil:
		cell.failed, at.broken = err, true
	case r.counter != nil:
		cell.traffic = r.counter.traffic()
	default:
		cell.runs = append(cell.runs, u)
	}
}

// serve makes a service do a step. The first step is its start, which is not measured.
func (r *round) serve(w *workload, s, i int, p *program, at *place) {
	cell, err := &r.t.cells[s][i], error(nil)
	if at.broken {
		return
	}
	if at.service == nil {
		at.service, err = p.start(at)
	} else {
		if r.counter != nil {
			r.counter.reset()
		}
		var u usage
		u, err = at.service.backup()
		switch {
		case err != nil:
		case r.counter != nil:
			cell.traffic = r.counter.traffic()
		default:
			cell.runs = append(cell.runs, u)
		}
	}
	if err != nil {
		cell.failed, at.broken = err, true
	}
}

// same compares the restored files with the originals.
func same(want, got string) error {
	files, err := os.ReadDir(want)
	if err != nil {
		return err
	}
	for _, f := range files {
		a, err := hashed(filepath.Join(want, f.Name()))
		if err != nil {
			return err
		}
		b, err := hashed(filepath.Join(got, f.Name()))
		if err != nil {
			return err
		}
		if a != b {
			return fmt.Errorf("%s differs after the restore", f.Name())
		}
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
