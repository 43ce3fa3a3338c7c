package storetest

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/strongroom-dev/strongroom/store"
)

// ErrInjected is what an operation that a Faulty fails ends with.
var ErrInjected = errors.New("injected failure")

// Mode says what a failed operation did.
type Mode int

// The modes.
const (
	NotApplied Mode = iota // it did nothing
	AnswerLost             // it was applied, and only its answer was lost (a Get or List breaks off midway)
)

func (m Mode) String() string {
	if m == AnswerLost {
		return "answer lost"
	}
	return "not applied"
}

// Ops counts operations by kind.
type Ops struct{ Put, Get, Stat, List, Delete int }

// Total is the number of operations of any kind.
func (o Ops) Total() int { return o.Put + o.Get + o.Stat + o.List + o.Delete }

// Faulty passes everything on to a store and fails one operation. Operations of all
// kinds are numbered together, from 0, in the order in which they begin. NewFaulty makes
// one. It is safe for concurrent use.
type Faulty struct {
	Store store.Store

	mu    sync.Mutex
	fail  int  // the operation that fails; negative: none
	mode  Mode // how
	down  bool // all after it fail too
	begun int
	hit   bool
	ops   Ops
	made  map[string]int  // Puts that were acknowledged and made the object
	acked map[string]bool // the caller knows that it is there
	again map[string]bool // put again though the caller knew
}

// NewFaulty makes a store that fails operation n, counted from 0; with a negative n it
// fails none and only keeps records.
func NewFaulty(s store.Store, n int, mode Mode) *Faulty {
	return &Faulty{
		Store: s, fail: n, mode: mode,
		made: map[string]int{}, acked: map[string]bool{}, again: map[string]bool{},
	}
}

// Arm starts counting anew and fails operation n; the records of Puts go on.
func (f *Faulty) Arm(n int, mode Mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.mode, f.down, f.begun, f.hit, f.ops = n, mode, false, 0, false, Ops{}
}

// Down makes every operation after the one that fails fail too, unapplied: the network
// has gone.
func (f *Faulty) Down() *Faulty {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = true
	return f
}

// Hit reports whether the operation that was to fail was reached since Arm.
func (f *Faulty) Hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// Ops tells the operations that began since Arm.
func (f *Faulty) Ops() Ops {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Acknowledged are the keys whose Put succeeded and that were not deleted since, in order.
func (f *Faulty) Acknowledged() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var keys []string
	for k := range f.acked {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Made is how many Puts of key made the object and were acknowledged.
func (f *Faulty) Made(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made[key]
}

// SentAgain are the keys that were made more than once, or put once more after a Put of
// them had been acknowledged, in order. A deleted key may be put anew.
func (f *Faulty) SentAgain() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var keys []string
	for k := range f.again {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// begin counts an operation and tells whether it is to fail before or after it is applied.
func (f *Faulty) begin(kind *int) (before, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.begun
	f.begun++
	*kind++
	switch {
	case f.fail < 0 || n < f.fail || (n > f.fail && !f.down):
		return false, false
	case n > f.fail:
		return true, false
	}
	f.hit = true
	return f.mode == NotApplied, f.mode == AnswerLost
}

// Put implements store.Store.
func (f *Faulty) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	before, after := f.begin(&f.ops.Put)
	if before {
		return store.PutResult{}, ErrInjected
	}
	f.mu.Lock()
	if f.acked[key] {
		f.again[key] = true
	}
	f.mu.Unlock()
	stored, err := f.Store.Put(ctx, key, body, sums)
	if after {
		return store.PutResult{}, errors.Join(ErrInjected, err)
	}
	if err == nil {
		f.acknowledge(key, stored)
	}
	return stored, err
}

func (f *Faulty) acknowledge(key string, stored store.PutResult) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acked[key] = true
	if !stored.Existed {
		f.made[key]++
	}
}

// Get implements store.Store.
func (f *Faulty) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	before, after := f.begin(&f.ops.Get)
	if before {
		return nil, ErrInjected
	}
	r, err := f.Store.Get(ctx, key, offset, length)
	if err != nil || !after {
		return r, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, 3), broken{}), r}, nil
}

// broken is a connection that broke.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, ErrInjected }

// Stat implements store.Store.
func (f *Faulty) Stat(ctx context.Context, key string) (store.Object, error) {
	if before, after := f.begin(&f.ops.Stat); before || after {
		return store.Object{}, ErrInjected
	}
	return f.Store.Stat(ctx, key)
}

// List implements store.Store. The operation begins when the iteration does.
func (f *Faulty) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		unapplied, broke := f.begin(&f.ops.List)
		if unapplied {
			yield(store.Object{}, ErrInjected)
			return
		}
		for o, err := range f.Store.List(ctx, prefix, delimiter, after) {
			if !yield(o, err) || err != nil {
				return
			}
			if broke { // after the first object
				break
			}
		}
		if broke {
			yield(store.Object{}, ErrInjected)
		}
	}
}

// Delete implements store.Store.
func (f *Faulty) Delete(ctx context.Context, keys []string) error {
	before, after := f.begin(&f.ops.Delete)
	if before {
		return ErrInjected
	}
	err := f.Store.Delete(ctx, keys)
	f.mu.Lock()
	for _, k := range keys {
		delete(f.acked, k)
		delete(f.made, k)
	}
	f.mu.Unlock()
	if after {
		return errors.Join(ErrInjected, err)
	}
	return err
}
