package entriestest

import (
	"encoding/binary"
	"hash/adler32"
	"io"
)

// A JELog builds a log file as Berkeley DB JE writes it.
type JELog struct {
	Bytes []byte
	Last  uint32 // offset of the last entry

	flushed uint32 // number of bytes that Flush has returned
	low     byte   // the low bits of the flags in versions before 8
}

// The types of entries that the tests use.
const (
	jeHeader = 25
	JERecord = 1
	JEErased = 43
)

// NewJE returns a log file of a log version that has only its header. previous is the offset of
// the last entry in the previous file.
func NewJE(version, number, previous uint32) *JELog {
	return NewJEAt(version, number, previous, 1_790_000_000_000)
}

// NewJEAt is NewJE with a time for the header, in milliseconds since 1970.
func NewJEAt(version, number, previous uint32, time int64) *JELog {
	l := &JELog{}
	if version < 8 {
		l.low = byte(version)
	}
	item := binary.LittleEndian.AppendUint64(nil, uint64(time))
	item = binary.LittleEndian.AppendUint32(item, number)
	item = binary.LittleEndian.AppendUint64(item, uint64(previous))
	item = binary.LittleEndian.AppendUint32(item, version)
	l.Add(jeHeader, item)
	return l
}

// Add appends an entry.
func (l *JELog) Add(kind byte, item []byte) {
	at := l.flushed + uint32(len(l.Bytes))
	e := make([]byte, 14, 14+len(item))
	e[4], e[5] = kind, l.low
	binary.LittleEndian.PutUint32(e[6:], l.Last)
	binary.LittleEndian.PutUint32(e[10:], uint32(len(item)))
	e = append(e, item...)
	binary.LittleEndian.PutUint32(e, adler32.Checksum(e[4:]))
	l.Bytes = append(l.Bytes, e...)
	l.Last = at
}

// Flush returns the bytes and removes them from the JELog, for a file that is too large for memory.
func (l *JELog) Flush() []byte {
	b := l.Bytes
	l.flushed += uint32(len(b))
	l.Bytes = nil
	return b
}

// Fill appends entries of noise until the file has exactly size bytes, and returns l. It cannot
// add fewer bytes than the smallest entry has.
func (l *JELog) Fill(size int, noise io.Reader) *JELog {
	const frame, most = 14, 50_000
	for left := size - len(l.Bytes); left > 0; left = size - len(l.Bytes) {
		n := left - frame
		if n > most {
			n = min(most, n-frame) // so that one more fits
		}
		item := make([]byte, n)
		if _, err := io.ReadFull(noise, item); err != nil {
			panic(err)
		}
		l.Add(JERecord, item)
	}
	return l
}
