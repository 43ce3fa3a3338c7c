package disk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// ErrHangs means that a file operation did not end in time, such as on a dying disk or a network file system that is
// gone. The operation may still take effect.
var ErrHangs = errors.New("the disk does not respond")

const (
	// leastWait is the time that an operation has while another one in its directory hangs. A disk that works needs less.
	leastWait = time.Second
	// maxHanging is how many operations hang in one directory when no other one may begin. Each needs a thread of the
	// operating system.
	maxHanging = 8
)

// Within calls do, which uses the named file, in another goroutine. It returns the results of do, or ErrHangs after
// limit, or the cause of ctx when ctx ends. While an operation hangs, Within returns ErrHangs for the same file at once.
// It then allows the other files of the directory a second each. Once eight hang, it returns ErrHangs for all of them at
// once. An operation counts as hanging only after its time: those that began in the meantime may hang, too, as many as
// the caller begins at a time.
func Within[T any](ctx context.Context, name string, limit time.Duration, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	op, limit, err := begin(name, limit)
	if err != nil {
		return none, err
	}
	ended := make(chan result, 1)
	go func() {
		value, err := do()
		op.end()
		ended <- result{value, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-ended:
		return r.value, r.err
	case <-timer.C:
		err = fmt.Errorf("%s: %w: nothing came within %v", name, ErrHangs, limit)
	case <-ctx.Done():
		err = fmt.Errorf("%s: %w", name, context.Cause(ctx))
	}
	op.hang()
	return none, err
}

// dirHealth has the operations that hang in one directory.
type dirHealth struct {
	mu      sync.Mutex
	hanging map[string]int // by file
	all     int
}

// healths has the *dirHealth of each directory by its path.
var healths sync.Map

// operation is one call of Within.
type operation struct {
	dir         *dirHealth
	name        string
	over, hangs bool // under the lock of dir
}

// begin returns the operation and the time that it has, or ErrHangs if it may not begin.
func begin(name string, limit time.Duration) (*operation, time.Duration, error) {
	of, _ := healths.LoadOrStore(filepath.Dir(name), &dirHealth{hanging: map[string]int{}})
	dir := of.(*dirHealth)
	dir.mu.Lock()
	defer dir.mu.Unlock()
	switch {
	case dir.hanging[name] > 0 || dir.all >= maxHanging:
		return nil, 0, fmt.Errorf("%s: %w since an earlier operation", name, ErrHangs)
	case dir.all > 0:
		limit = min(limit, leastWait)
	}
	return &operation{dir: dir, name: name}, limit, nil
}

func (o *operation) hang() {
	o.dir.mu.Lock()
	defer o.dir.mu.Unlock()
	if o.over {
		return
	}
	o.hangs = true
	o.dir.hanging[o.name]++
	o.dir.all++
}

func (o *operation) end() {
	o.dir.mu.Lock()
	defer o.dir.mu.Unlock()
	o.over = true
	if !o.hangs {
		return
	}
	o.dir.all--
	if o.dir.hanging[o.name]--; o.dir.hanging[o.name] == 0 {
		delete(o.dir.hanging, o.name)
	}
}
