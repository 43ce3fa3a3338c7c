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

// ErrInjected is the error of an operation that a Faulty fails.
var ErrInjected = errors.New("injected failure")

// Mode is the effect of a failed operation.
type Mode int

// The modes.
const (
	NotApplied Mode = iota // the operation has no effect
	AnswerLost             // the operation takes effect and its response is lost; a Get or List ends midway
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

// Faulty passes operations on to a store and fails one of them. All operations are numbered together, from 0, in
// the order of their beginning. NewFaulty returns one. It is safe for concurrent use.
type Faulty struct {
	Store store.Store

	mu    sync.Mutex
	fail  int  // the operation that fails; negative for none
	mode  Mode // of the failure
	down  bool // all later operations fail, too
	begun int
	hit   bool
	ops   Ops
	made  map[string]int  // the Puts that succeeded and created the object
	acked map[string]bool // a Put of the key succeeded
	again map[string]bool // put again after a success
}

// NewFaulty returns a store that fails operation n, counted from 0. With a negative n it fails none and only
// records.
func NewFaulty(s store.Store, n int, mode Mode) *Faulty {
	return &Faulty{
		Store: s, fail: n, mode: mode,
		made: map[string]int{}, acked: map[string]bool{}, again: map[string]bool{},
	}
}

// Arm restarts the count and fails operation n. The records of Puts are kept.
func (f *Faulty) Arm(n int, mode Mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.mode, f.down, f.begun, f.hit, f.ops = n, mode, false, 0, false, Ops{}
}

// Down makes every operation after the failing one fail, too, without effect, like a network outage.
func (f *Faulty) Down() *Faulty {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = true
	return f
}

// Hit reports whether an operation was failed since Arm.
func (f *Faulty) Hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hit
}

// Ops returns the number of operations that began since Arm.
func (f *Faulty) Ops() Ops {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Acknowledged returns the keys whose Put succeeded and that were not deleted since, in order.
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

// Made returns the number of successful Puts of key that created the object.
func (f *Faulty) Made(key string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made[key]
}

// SentAgain returns the keys that were put again after a successful Put, in order. A deleted key may be put again.
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

// begin counts an operation and returns whether it must fail before or after it takes effect.
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

// broken is the reader of a connection that broke.
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
func (f *Faulty) Delete(ctx context.Context, objects []store.Object) error {
	before, after := f.begin(&f.ops.Delete)
	if before {
		return ErrInjected
	}
	err := f.Store.Delete(ctx, objects)
	f.mu.Lock()
	for _, o := range objects {
		delete(f.acked, o.Key)
		delete(f.made, o.Key)
	}
	f.mu.Unlock()
	if after {
		return errors.Join(ErrInjected, err)
	}
	return err
}
