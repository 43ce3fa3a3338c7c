package cloud

import (
	"bufio"
	"container/heap"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/strongroom-dev/strongroom/store"
)

// sortMax is the number of objects that are sorted in memory: some 30 MB.
const sortMax = 100_000

// sorter sorts the objects of a listing by key. Beyond sortMax objects it writes sorted runs to temporary files, and
// merges them.
type sorter struct {
	scratch string // a directory; empty: there is none
	most    int    // objects in memory; 0 means sortMax

	memory []store.Object
	runs   []*os.File // they have no names any more
}

func (s *sorter) add(objects []store.Object) error {
	if s.most == 0 {
		s.most = sortMax
	}
	s.memory = append(s.memory, objects...)
	if len(s.memory) <= s.most {
		return nil
	}
	if s.scratch == "" {
		return fmt.Errorf("%w, and it has more than %d objects, which cannot be sorted without a scratch directory",
			store.ErrUnordered, s.most)
	}
	if err := s.spill(); err != nil {
		return fmt.Errorf("sorting a listing of more than %d objects in the scratch directory: %w", s.most, err)
	}
	return nil
}

// spill moves the objects in memory into a file.
func (s *sorter) spill() error {
	if err := os.MkdirAll(s.scratch, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.scratch, "strongroom-sort-*")
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	if err := os.Remove(f.Name()); err != nil { // the space is free again once the file is closed
		return err
	}
	slices.SortStableFunc(s.memory, byKey)
	w := bufio.NewWriter(f)
	run := gob.NewEncoder(w)
	for i := range s.memory {
		if err := run.Encode(&s.memory[i]); err != nil {
			return err
		}
	}
	clear(s.memory)
	s.memory = s.memory[:0]
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// all yields the objects in order. It may be called once.
func (s *sorter) all() iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		slices.SortStableFunc(s.memory, byKey)
		at := 0
		merge := runHeap{}
		merge.push(func() (o store.Object, err error) {
			if at == len(s.memory) {
				return o, io.EOF
			}
			at++
			return s.memory[at-1], nil
		})
		for _, f := range s.runs {
			run := gob.NewDecoder(bufio.NewReader(f))
			merge.push(func() (o store.Object, err error) {
				err = run.Decode(&o)
				return o, err
			})
		}
		for len(merge.runs) > 0 && merge.err == nil {
			first := &merge.runs[0]
			if !yield(first.head, nil) {
				return
			}
			merge.advance()
		}
		if merge.err != nil {
			yield(store.Object{}, fmt.Errorf("reading a sorted listing back: %w", merge.err))
		}
	}
}

func (s *sorter) close() {
	for _, f := range s.runs {
		f.Close() // nothing of it is needed any more
	}
}

// runHeap has the sorted runs by their next object.
type runHeap struct {
	runs []sortedRun
	err  error
}

type sortedRun struct {
	head store.Object
	next func() (store.Object, error) // io.EOF at the end
}

// push adds a run, unless it is empty.
func (h *runHeap) push(next func() (store.Object, error)) {
	head, err := next()
	if err == nil {
		heap.Push(h, sortedRun{head, next})
	} else if !errors.Is(err, io.EOF) {
		h.err = errors.Join(h.err, err)
	}
}

// advance moves the first run to its next object.
func (h *runHeap) advance() {
	head, err := h.runs[0].next()
	if err != nil {
		heap.Pop(h)
		if !errors.Is(err, io.EOF) {
			h.err = err
		}
		return
	}
	h.runs[0].head = head
	heap.Fix(h, 0)
}

// Len implements heap.Interface.
func (h *runHeap) Len() int { return len(h.runs) }

// Less implements heap.Interface.
func (h *runHeap) Less(i, j int) bool { return h.runs[i].head.Key < h.runs[j].head.Key }

// Swap implements heap.Interface.
func (h *runHeap) Swap(i, j int) { h.runs[i], h.runs[j] = h.runs[j], h.runs[i] }

// Push implements heap.Interface.
func (h *runHeap) Push(run any) { h.runs = append(h.runs, run.(sortedRun)) }

// Pop implements heap.Interface.
func (h *runHeap) Pop() any {
	last := h.runs[len(h.runs)-1]
	h.runs = h.runs[:len(h.runs)-1]
	return last
}
