package localstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

const (
	// maxSealed bounds how many objects are recorded: those beyond are stored again.
	maxSealed = 100_000
	// MaxSameContent bounds how many objects with the same content are remembered, or read again.
	MaxSameContent = 4
)

// SealedRecords are the encrypted objects that this host recorded before it put them, for the one snapshot that it
// makes. After an interruption it cannot compare their content, since it cannot decrypt them; but their keys were
// unforeseeable until the objects existed. Without a State, the records live as long as their SealedRecords. The
// methods are safe for concurrent use.
type SealedRecords struct {
	state *State // nil: no file
	log   *slog.Logger

	mu      sync.Mutex
	archive string                    // the id
	number  int64                     // of the snapshot
	byKey   map[string][]SealedObject // by key without its nonce
	count   int
	file    *disk.File // open for appending; nil: nothing was appended since Begin
	bytes   int64      // size of the file
	failed  bool       // the file cannot be written to
}

// NewSealedRecords returns an empty set of records, which Begin fills from the state's file. A nil state disables the
// file. The log receives warnings: without the records an interrupted run only stores more objects again.
func NewSealedRecords(state *State, log *slog.Logger) *SealedRecords {
	return &SealedRecords{state: state, log: log}
}

// SealedObject is an encrypted object as it was to be stored.
type SealedObject struct {
	Key  string
	Sums store.Sums // of its stored bytes
}

// sealedLine is one line of the file, behind the CRC-32C of its JSON.
type sealedLine struct {
	Archive string `json:"archive"`
	Key     string `json:"key"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
	CRC32C  string `json:"crc32c"`
}

// Begin names the snapshot that objects are recorded for. The records of another one are dropped.
func (p *SealedRecords) Begin(id string, number int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.archive == id && p.number == number {
		return
	}
	p.reset()
	p.archive, p.number = id, number
	if p.state == nil {
		return
	}
	err := p.load(p.state.sealedPath(id))
	if err != nil {
		p.log.Warn("the records of what an interrupted run was storing cannot be read; it is stored again", "error", err)
	}
	if p.failed = errors.Is(err, ErrUnread); !p.failed && p.count == 0 {
		p.remove(id)
	}
}

func (p *SealedRecords) reset() {
	p.close()
	p.archive, p.number, p.byKey, p.count = "", 0, map[string][]SealedObject{}, 0
	p.file, p.bytes, p.failed = nil, 0, false
}

// End closes the file. The records stay.
func (p *SealedRecords) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close()
}

// close closes the file. Each line is written at once: an error loses nothing.
func (p *SealedRecords) close() {
	f := p.file
	p.file = nil
	if f != nil {
		_ = change(p.state.sealedPath(p.archive)+closing, func() error {
			f.Close()
			return nil
		})
	}
}

// closing makes another name for the end of a write that hangs: the file must still be closed after it.
const closing = " (closing)"

// Drop removes all records: the snapshot has been committed.
func (p *SealedRecords) Drop(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reset()
	p.remove(id)
}

func (p *SealedRecords) remove(id string) {
	if p.state == nil {
		return
	}
	p.bytes = 0
	name := p.state.sealedPath(id)
	err := change(name, func() error { return disk.RemoveName(name) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.log.Warn("what was recorded of encrypted objects cannot be removed", "error", err)
	}
}

// Recorded returns the objects that were recorded with this key without a nonce, the latest first.
func (p *SealedRecords) Recorded(without string) []SealedObject {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.byKey[without]
	latest := make([]SealedObject, 0, len(all))
	for i := range all {
		latest = append(latest, all[len(all)-1-i])
	}
	return latest
}

// Add records an object that is about to be put. The record outlives the process, but not a power loss: that would
// take a sync for each object, to save sending a few again.
func (p *SealedRecords) Add(key string, sums store.Sums) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.archive == "" || !p.note(SealedObject{key, sums}) || p.state == nil || p.failed {
		return
	}
	if err := p.write(key, sums); err != nil {
		p.failed = true
		p.log.Warn("what is being stored is not recorded; after an interruption it is stored again", "error", err)
	}
}

// note keeps an object in memory and reports whether there was room.
func (p *SealedRecords) note(o SealedObject) bool {
	k, ok := manifest.ParseObjectKey(o.Key)
	without, nonce := manifest.CutNonce(o.Key)
	if !ok || nonce == "" || k.Sequence != p.number || p.count == maxSealed {
		return false
	}
	all := append(p.byKey[without], o)
	p.count++
	if len(all) > MaxSameContent {
		p.count--
		all = all[1:]
	}
	p.byKey[without] = all
	return true
}

func (p *SealedRecords) write(key string, sums store.Sums) error {
	b, err := json.Marshal(sealedLine{p.archive, key, sums.Size, sums.SHA256.String(), sums.CRC32C.String()})
	if err != nil {
		return fmt.Errorf("encoding a record: %w", err)
	}
	// A line that was cut by an interruption ends at the next one's beginning.
	line := fmt.Sprintf("\n%08x %s\n", crc32.Checksum(b, digest.Castagnoli), b)
	if p.bytes += int64(len(line)); p.bytes > maxSealedBytes {
		return fmt.Errorf("%s would have more than %d bytes", p.state.sealedPath(p.archive), maxSealedBytes)
	}
	name, file, dir := p.state.sealedPath(p.archive), p.file, p.state.Dir
	err = change(name, func() (err error) {
		if file == nil {
			if file, err = openToAppend(dir, name); err != nil {
				return err
			}
		}
		_, err = io.WriteString(file, line)
		return err
	})
	if errors.Is(err, disk.ErrHangs) {
		return err // file may still be in use
	}
	p.file = file
	if err != nil {
		return fmt.Errorf("writing the local state: %w", err)
	}
	return nil
}

// openToAppend opens a file, which it creates with its directory.
func openToAppend(dir, name string) (*disk.File, error) {
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory: %w", err)
	}
	f, err := disk.OpenRegular(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err == nil {
		giveToOwner(f, dir)
	}
	return f, err
}

// load reads the lines of a file that are of this snapshot. It skips others, and lines that were cut.
func (p *SealedRecords) load(name string) error {
	b, err := p.state.read(name, maxSealedBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unusable(name, err)
	}
	p.bytes = int64(len(b))
	for line := range strings.Lines(string(b)) {
		if o, id, ok := parseSealedLine(strings.TrimSuffix(line, "\n")); ok && id == p.archive {
			p.note(o)
		}
	}
	return nil
}

// parseSealedLine reads a line. A flipped bit must not get into a manifest.
func parseSealedLine(line string) (o SealedObject, id string, ok bool) {
	check, text, found := strings.Cut(line, " ")
	sum, err := strconv.ParseUint(check, 16, 32)
	if !found || err != nil || uint32(sum) != crc32.Checksum([]byte(text), digest.Castagnoli) {
		return SealedObject{}, "", false
	}
	var l sealedLine
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return SealedObject{}, "", false
	}
	o = SealedObject{Key: l.Key, Sums: store.Sums{Size: l.Size}}
	var err1, err2 error
	o.Sums.SHA256, err1 = manifest.ParseHash(l.SHA256)
	o.Sums.CRC32C, err2 = manifest.ParseCRC32C(l.CRC32C)
	return o, l.Archive, err1 == nil && err2 == nil && l.Size >= 0
}

// sealedPath is the file that outlives a run that is interrupted: one per archive and place.
func (s *State) sealedPath(id string) string {
	return s.beside(id, ".pending")
}
