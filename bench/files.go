//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// makeFiles fills a directory with files of random bytes, all different, also in their parts. In a half compressible
// workload, every other 4 KiB are zeros. strongroom regards the files as closed when it returns.
func (w *workload) makeFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range w.files {
		if err := makeFile(filepath.Join(dir, fileName(i)), i, w.size, w.half); err != nil {
			return err
		}
	}
	time.Sleep(untilClosed)
	return nil
}

// untilClosed is longer than the second without a change after which the files count as closed here.
const untilClosed = 1500 * time.Millisecond

func fileName(i int) string { return fmt.Sprintf("%08d.log", i) }

func makeFile(name string, seed int, size int64, half bool) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, int(min(size, 1<<20)))
	_, err = io.CopyN(w, &noise{random: seeded(seed), half: half}, size)
	if err := errors.Join(err, w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

func seeded(i int) *rand.ChaCha8 {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(i))
	return rand.NewChaCha8(seed)
}

// noise is a stream of random bytes, or with half of random and zero blocks in turn.
type noise struct {
	random *rand.ChaCha8
	half   bool
	done   int
}

// Read implements io.Reader.
func (n *noise) Read(b []byte) (int, error) {
	const block = 4096
	left := block - n.done%block
	b = b[:min(len(b), left)]
	if n.half && n.done/block%2 == 1 {
		clear(b)
	} else {
		n.random.Read(b)
	}
	n.done += len(b)
	return len(b), nil
}
