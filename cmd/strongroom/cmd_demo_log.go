package main

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// A demoLog writes log files in the format of Berkeley DB JE (log version 6): entries end to
// end, each with an Adler-32, its type, the offset of the previous entry and its size. The first
// entry is the file header. The items hold random bytes.
type demoLog struct {
	dir     string
	random  *rand.ChaCha8
	number  uint32
	buf     []byte // the current file
	last    uint32 // offset of the last entry in buf
	written int    // bytes of buf that are in the file
}

const (
	demoFileSize   = 1 << 20
	demoVersion    = 6
	demoHeaderType = 25
	demoRecordType = 1
	demoItem       = 400 // average bytes of a record
)

func newDemoLog(dir string) *demoLog {
	l := &demoLog{dir: dir, random: rand.NewChaCha8([32]byte{'d', 'e', 'm', 'o'})}
	l.begin(0)
	return l
}

// begin starts the file with the current number; lastInPrevious is the offset of the last entry
// in the previous file.
func (l *demoLog) begin(lastInPrevious uint32) {
	item := make([]byte, 24)
	binary.LittleEndian.PutUint64(item, uint64(time.Now().UnixMilli()))
	binary.LittleEndian.PutUint32(item[8:], l.number)
	binary.LittleEndian.PutUint64(item[12:], uint64(lastInPrevious))
	binary.LittleEndian.PutUint32(item[20:], demoVersion)
	l.buf, l.written, l.last = nil, 0, 0
	l.entry(demoHeaderType, item)
}

func (l *demoLog) entry(kind byte, item []byte) {
	at := len(l.buf)
	e := make([]byte, 14, 14+len(item))
	e[4] = kind
	e[5] = demoVersion // log version 6 keeps the version of the entry here
	binary.LittleEndian.PutUint32(e[6:], l.last)
	binary.LittleEndian.PutUint32(e[10:], uint32(len(item)))
	e = append(e, item...)
	binary.LittleEndian.PutUint32(e, adler32.Checksum(e[4:]))
	l.buf = append(l.buf, e...)
	l.last = uint32(at)
}

// write appends this number of records, starting a new file whenever one is full.
func (l *demoLog) write(records int) error {
	item := make([]byte, 2*demoItem)
	for range records {
		n := demoItem/2 + int(l.random.Uint64()%demoItem)
		l.random.Read(item[:n])
		if len(l.buf)+14+n > demoFileSize {
			if err := l.flush(); err != nil {
				return err
			}
			l.number++
			l.begin(l.last)
		}
		l.entry(demoRecordType, item[:n])
	}
	return l.flush()
}

func (l *demoLog) flush() error {
	name := filepath.Join(l.dir, fmt.Sprintf("%08x.jdb", l.number))
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("writing the demo's log: %w", err)
	}
	defer f.Close()
	if _, err := f.Write(l.buf[l.written:]); err != nil {
		return fmt.Errorf("writing the demo's log: %w", err)
	}
	l.written = len(l.buf)
	if err := f.Close(); err != nil {
		return fmt.Errorf("writing the demo's log: %w", err)
	}
	// A backup waits until a file is two seconds old; an older time avoids the wait.
	then := time.Now().Add(-10 * time.Second)
	if err := os.Chtimes(name, then, then); err != nil {
		return fmt.Errorf("writing the demo's log: %w", err)
	}
	return nil
}
