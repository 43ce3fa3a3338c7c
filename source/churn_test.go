package source

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// A modelDB is as much of a log-structured database as a capture can notice: it appends
// records to the newest of its files, and its cleaner appends what is still needed of a
// file once more and then deletes the file. Operation n, from 1, sets key keyOf(n) to n.
type modelDB struct {
	t    *testing.T
	d    *Directory
	rnd  *rand.Rand
	file *os.File
	last map[uint64]uint64 // key to the operation that set it

	mu    sync.Mutex // guards what follows
	n     uint64     // operations that are in the log
	lives map[string]*life
	next  int
}

// life is when a file was there: from some instant between born, to some between died.
type life struct {
	born, died [2]time.Time
	over       bool
}

const modelKeys = 300

func keyOf(n uint64) uint64 { return n * 0x9E3779B97F4A7C15 >> 20 % modelKeys }

func newModelDB(t *testing.T, seed uint64) *modelDB {
	m := &modelDB{t: t, d: newDir(t, opaqueJE), rnd: rand.New(rand.NewPCG(seed, 0)), last: map[uint64]uint64{}, lives: map[string]*life{}}
	m.roll()
	return m
}

// roll begins a new file.
func (m *modelDB) roll() {
	if m.file != nil {
		m.file.Close()
	}
	name := jdb(m.next)[0]
	l := &life{}
	m.mu.Lock()
	m.lives[name] = l
	l.born[0] = time.Now()
	m.mu.Unlock()
	f, err := os.Create(m.d.at(name))
	if err != nil {
		m.t.Error(err)
	}
	m.mu.Lock()
	l.born[1] = time.Now()
	m.next++
	m.mu.Unlock()
	m.file = f
}

func (m *modelDB) write(ops ...uint64) {
	var b []byte
	for _, n := range ops {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	if _, err := m.file.Write(b); err != nil {
		m.t.Error(err)
	}
}

// operate carries out one operation.
func (m *modelDB) operate() {
	n := m.n + 1 // only this goroutine sets it
	m.last[keyOf(n)] = n
	m.write(n)
	m.mu.Lock()
	m.n = n
	m.mu.Unlock()
}

// clean moves what is needed of a file that is not the newest to the end, and deletes it.
func (m *modelDB) clean() {
	var old []string
	for i := range m.next - 1 {
		if l := m.lives[jdb(i)[0]]; !l.over {
			old = append(old, jdb(i)[0])
		}
	}
	if len(old) < 4 {
		return
	}
	name := old[m.rnd.IntN(len(old))]
	b, err := os.ReadFile(m.d.at(name))
	if err != nil {
		m.t.Error(err)
	}
	var needed []uint64
	for ; len(b) > 0; b = b[8:] {
		if n := binary.BigEndian.Uint64(b); m.last[keyOf(n)] == n {
			needed = append(needed, n)
		}
	}
	m.write(needed...)
	l := m.lives[name]
	m.mu.Lock()
	l.died[0] = time.Now()
	m.mu.Unlock()
	if err := os.Remove(m.d.at(name)); err != nil {
		m.t.Error(err)
	}
	m.mu.Lock()
	l.died[1], l.over = time.Now(), true
	m.mu.Unlock()
}

// run works until done is closed.
func (m *modelDB) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			m.file.Close()
			return
		default:
		}
		for range 200 + m.rnd.IntN(800) {
			m.operate()
		}
		if m.rnd.IntN(3) > 0 {
			m.clean()
		}
		m.roll()
	}
}

func (m *modelDB) operations() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
}

// checkInstant makes sure that the files of c are just those that were there at c.At.
func (m *modelDB) checkInstant(c *Capture) {
	m.mu.Lock()
	defer m.mu.Unlock()
	in := map[string]bool{}
	for _, f := range c.Files {
		in[f.Name] = true
		l := m.lives[f.Name]
		if c.At.Before(l.born[0]) || (l.over && c.At.After(l.died[1])) {
			m.t.Errorf("%s is in the set, and was not there at %v: %+v", f.Name, c.At, l)
		}
	}
	for name, l := range m.lives {
		born := !l.born[1].IsZero() && c.At.After(l.born[1])
		died := !l.died[0].IsZero() && c.At.After(l.died[0])
		if born && !died && !in[name] {
			m.t.Errorf("%s was there at %v, and is not in the set: %+v", name, c.At, l)
		}
	}
}

// replay returns the state that the captured log recovers to, and its last operation.
func replay(c *Capture) (state map[uint64]uint64, last uint64, err error) {
	state = map[uint64]uint64{}
	for _, f := range c.Files {
		content, err := c.Open(f.Name)
		if err != nil {
			return nil, 0, err
		}
		b, err := io.ReadAll(io.NewSectionReader(content, 0, f.Size))
		err = errors.Join(err, content.Unchanged(), content.Close())
		if err != nil {
			return nil, 0, err
		}
		for ; len(b) >= 8; b = b[8:] {
			n := binary.BigEndian.Uint64(b)
			state[keyOf(n)] = max(state[keyOf(n)], n)
			last = max(last, n)
		}
	}
	return state, last, nil
}

// While a database and its cleaner work as fast as they can, each capture is the set of
// one instant, and recovers to the complete state after some operation that was not
// over before the capture began; also where files are not pinned, if they can be read.
func TestCaptureUnderChurn(t *testing.T) {
	t.Parallel()
	t.Run("pinned", func(t *testing.T) { testChurn(t, 1000) })
	t.Run("on demand", func(t *testing.T) { testChurn(t, 2) })
}

func testChurn(t *testing.T, budget int) {
	m := newModelDB(t, 1)
	m.d.limit(budget)
	done := make(chan struct{})
	var db sync.WaitGroup
	db.Go(func() { m.run(done) })
	defer db.Wait()
	defer close(done)
	captured, unsettled, vanished, deleted := 0, 0, 0, 0
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end) || captured == 0; {
		before := m.operations()
		c, err := m.d.Capture(t.Context(), nil)
		if errors.Is(err, ErrVanished) {
			unsettled++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		m.checkInstant(c)
		for m.operations() < before+1000 { // let the cleaner get at the set
			runtime.Gosched()
		}
		state, last, err := replay(c)
		c.Close()
		if budget < 1000 && errors.Is(err, ErrVanished) {
			vanished++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		captured++
		for _, f := range c.Files {
			if _, err := os.Stat(m.d.at(f.Name)); err != nil {
				deleted++
			}
		}
		m.checkState(state, before, last)
		if t.Failed() {
			break
		}
	}
	t.Logf("%d captures, %d files deleted before they were read; %d did not settle, %d could not be read",
		captured, deleted, unsettled, vanished)
	if unsettled > captured {
		t.Errorf("%d captures did not settle", unsettled)
	}
}

// checkState makes sure that state is that after operation last.
func (m *modelDB) checkState(state map[uint64]uint64, before, last uint64) {
	m.t.Helper()
	if last < before {
		m.t.Errorf("the set ends with operation %d; %d were in the log before", last, before)
	}
	want := map[uint64]uint64{}
	for n := uint64(1); n <= last; n++ {
		want[keyOf(n)] = n
	}
	wrong := 0
	for key, n := range want {
		if state[key] != n {
			wrong++
		}
	}
	if wrong > 0 {
		m.t.Errorf("%d of %d records are lost or out of date", wrong, len(want))
	}
}
