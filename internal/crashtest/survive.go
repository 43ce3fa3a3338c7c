package crashtest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// A Loss chooses which unsynced changes survive.
type Loss struct {
	Name    string
	entry   func(choices int) int // the index of a name's surviving node, the oldest first
	content func(*node) []byte
	time    func(choices int) int
}

func oldest(int) int   { return 0 }
func latest(n int) int { return n - 1 }

func (n *node) durable() []byte { return n.synced }

// zeros returns the content of a file whose size survived and whose unsynced content did not.
func (n *node) zeros() []byte {
	b := append([]byte{}, n.synced...)
	for _, w := range n.changes {
		if w.data != nil {
			w.data = make([]byte, len(w.data))
		}
		b = w.on(b)
	}
	return b
}

// torn returns the content of a file whose unsynced writes reached the disk up to their middle.
func (n *node) torn() []byte {
	b := append([]byte{}, n.synced...)
	for _, w := range n.changes {
		if w.data != nil {
			w.data = w.data[:len(w.data)/2]
		}
		b = w.on(b)
	}
	return b
}

// Losses returns the losses to try first: all extremes of names and content. Each may be used once.
func Losses() []Loss {
	return []Loss{
		{"nothing unsynced survives", oldest, (*node).durable, oldest},
		{"names survive and content does not", latest, (*node).durable, oldest},
		{"names survive with zeros", latest, (*node).zeros, oldest},
		{"names survive with torn content", latest, (*node).torn, oldest},
		{"content survives and names do not", oldest, (*node).content, latest},
		{"the first of two names survives", alternate(0), (*node).content, latest},
		{"the second of two names survives", alternate(1), (*node).content, latest},
	}
}

// alternate lets every other name survive.
func alternate(i int) func(int) int {
	return func(choices int) int {
		if i++; i%2 == 0 {
			return 0
		}
		return choices - 1
	}
}

// Everything loses nothing, as when a program is killed on a running system.
func Everything() Loss { return Loss{"everything survives", latest, (*node).content, latest} }

// Random chooses at random for each name and each write.
func Random(seed uint64) Loss {
	random := rand.New(rand.NewPCG(seed, 1))
	any := func(n int) int { return random.IntN(n) }
	return Loss{fmt.Sprintf("a random choice with seed %d survives", seed), any, func(n *node) []byte {
		b := append([]byte{}, n.synced...)
		for _, w := range n.changes {
			switch random.IntN(4) {
			case 0:
				continue
			case 1:
				if w.data != nil {
					w.data = w.data[:random.IntN(len(w.data)+1)]
				}
			case 2:
				if w.data != nil {
					w.data = make([]byte, len(w.data))
				}
			}
			b = w.on(b)
		}
		return b
	}, any}
}

// A Survivor is the state of a directory after a power loss.
type Survivor struct {
	paths []string // in the order of their creation
	files map[string]*file
}

type file struct {
	dir     bool
	same    string // the first name of the same file
	content []byte
	time    time.Time
}

// Lose returns the state that survives. A directory survives under one name only, its first.
func (s *State) Lose(l Loss) *Survivor {
	v := &Survivor{files: map[string]*file{}}
	v.add(l, s.top, "", map[*node]string{})
	return v
}

func (v *Survivor) add(l Loss, dir *node, prefix string, done map[*node]string) {
	for _, name := range dir.names() {
		e := dir.entries[name]
		n := e.led[l.entry(len(e.led))]
		if n == nil {
			continue
		}
		at := prefix + name
		first, again := done[n]
		if again && n.entries != nil {
			continue
		}
		v.paths = append(v.paths, at)
		switch {
		case again:
			v.files[at] = &file{same: first}
			continue
		case n.entries != nil:
			v.files[at] = &file{dir: true}
			done[n] = at
			v.add(l, n, at+"/", done)
			continue
		}
		done[n] = at
		f := &file{content: l.content(n)}
		if len(n.times) > 0 {
			f.time = n.times[l.time(len(n.times))]
		}
		v.files[at] = f
	}
}

// Sum returns a hash of the state.
func (v *Survivor) Sum() [sha256.Size]byte {
	h := sha256.New()
	for _, at := range v.paths {
		f := v.files[at]
		fmt.Fprintf(h, "%q %v %q %d %d\n", at, f.dir, f.same, len(f.content), f.time.UnixNano())
		h.Write(f.content)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Write creates the state in an empty directory.
func (v *Survivor) Write(dir string) error {
	for _, at := range v.paths {
		f, name := v.files[at], filepath.Join(dir, filepath.FromSlash(at))
		var err error
		switch {
		case f.dir:
			err = os.Mkdir(name, 0o755)
		case f.same != "":
			err = os.Link(filepath.Join(dir, filepath.FromSlash(f.same)), name)
		default:
			if err = os.WriteFile(name, f.content, fs.FileMode(0o644)); err == nil && !f.time.IsZero() {
				err = os.Chtimes(name, f.time, f.time)
			}
		}
		if err != nil {
			return fmt.Errorf("creating the surviving state: %w", err)
		}
	}
	return nil
}
