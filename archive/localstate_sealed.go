package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
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
	// maxSealedBytes bounds the file.
	maxSealedBytes = 64 << 20
	// maxSameContent bounds how many objects with the same content are remembered, or read back.
	maxSameContent = 4
)

// sealedRecords is what this host has recorded of encrypted objects before it put them, for the one
// snapshot that it aims at. This host cannot open them, so that it cannot compare their content
// after an interruption; but the keys were unforeseeable until the objects existed. Without a
// state directory it lives as long as the Archive. It is safe for concurrent use.
type sealedRecords struct {
	mu      sync.Mutex
	archive string                    // the id
	number  int64                     // of the snapshot
	byKey   map[string][]sealedObject // by key without its nonce
	count   int
	file    *disk.File // open for appending; nil: nothing was appended since begin
	bytes   int64      // size of the file
	failed  bool       // the file cannot be written to
}

// sealedObject is an encrypted object as it was to be stored.
type sealedObject struct {
	key  string
	sums store.Sums
}

// sealedLine is one line of the file, behind the CRC-32C of its JSON.
type sealedLine struct {
	Archive string `json:"archive"`
	Key     string `json:"key"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
	CRC32C  string `json:"crc32c"`
}

// begin aims at a snapshot. What was recorded for another one is dropped.
func (p *sealedRecords) begin(a *Archive, id string, number int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.archive == id && p.number == number {
		return
	}
	p.reset()
	p.archive, p.number = id, number
	if a.state == nil {
		return
	}
	if err := p.load(a.state.sealedPath(id)); err != nil {
		a.log.Warn("what an interrupted run was storing cannot be read; it is stored again", "error", err)
	}
	if p.count == 0 {
		p.remove(a, id)
	}
}

func (p *sealedRecords) reset() {
	if p.file != nil {
		p.file.Close() // each line is written at once: nothing is lost
	}
	p.archive, p.number, p.byKey, p.count = "", 0, map[string][]sealedObject{}, 0
	p.file, p.bytes, p.failed = nil, 0, false
}

// end closes the file. What was recorded stays.
func (p *sealedRecords) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file != nil {
		p.file.Close()
		p.file = nil
	}
}

// drop forgets everything: the snapshot has been committed.
func (p *sealedRecords) drop(a *Archive, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reset()
	p.remove(a, id)
}

func (p *sealedRecords) remove(a *Archive, id string) {
	if a.state == nil {
		return
	}
	p.bytes = 0
	if err := disk.RemoveName(a.state.sealedPath(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("what was recorded of encrypted objects cannot be removed", "error", err)
	}
}

// recorded returns the objects that were recorded with this key without a nonce, the latest
// first.
func (p *sealedRecords) recorded(without string) []sealedObject {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.byKey[without]
	latest := make([]sealedObject, 0, len(all))
	for i := range all {
		latest = append(latest, all[len(all)-1-i])
	}
	return latest
}

// add records an object that is about to be put. The record outlives the process, not a power
// loss: that would take a sync for each object, to save sending a few again.
func (p *sealedRecords) add(a *Archive, key string, sums store.Sums) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.archive == "" || !p.note(sealedObject{key, sums}) || a.state == nil || p.failed {
		return
	}
	if err := p.write(a.state, key, sums); err != nil {
		p.failed = true
		a.log.Warn("what is being stored is not recorded; after an interruption it is stored again", "error", err)
	}
}

// note keeps an object in memory and reports whether there was room.
func (p *sealedRecords) note(o sealedObject) bool {
	k, ok := manifest.ParseObjectKey(o.key)
	without, nonce := manifest.CutNonce(o.key)
	if !ok || nonce == "" || k.Sequence != p.number || p.count == maxSealed {
		return false
	}
	all := append(p.byKey[without], o)
	p.count++
	if len(all) > maxSameContent {
		p.count--
		all = all[1:]
	}
	p.byKey[without] = all
	return true
}

func (p *sealedRecords) write(w *LocalState, key string, sums store.Sums) error {
	b, err := json.Marshal(sealedLine{p.archive, key, sums.Size, sums.SHA256.String(), sums.CRC32C.String()})
	if err != nil {
		return fmt.Errorf("encoding a record: %w", err)
	}
	// A line that was cut by an interruption ends at the next one's beginning.
	line := fmt.Sprintf("\n%08x %s\n", crc32.Checksum(b, digest.Castagnoli), b)
	if p.bytes += int64(len(line)); p.bytes > maxSealedBytes {
		return fmt.Errorf("%s would have more than %d bytes", w.sealedPath(p.archive), maxSealedBytes)
	}
	if p.file == nil {
		if err := disk.MkdirAll(w.Dir, 0o700); err != nil {
			return fmt.Errorf("making the directory of the local state: %w", err)
		}
		if p.file, err = disk.OpenFile(w.sealedPath(p.archive), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
			p.file = nil
			return fmt.Errorf("writing the local state: %w", err)
		}
	}
	if _, err := io.WriteString(p.file, line); err != nil {
		return fmt.Errorf("writing the local state: %w", err)
	}
	return nil
}

// load reads the lines of a file that are of the snapshot aimed at. Others, and those that were
// cut, are passed over.
func (p *sealedRecords) load(name string) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && info.Size() > maxSealedBytes:
		return fmt.Errorf("%s has %d bytes, more than %d", name, info.Size(), maxSealedBytes)
	case err != nil:
		return fmt.Errorf("reading the local state: %w", err)
	}
	p.bytes = info.Size()
	b, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading the local state: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if o, id, ok := parseSealedLine(strings.TrimSuffix(line, "\n")); ok && id == p.archive {
			p.note(o)
		}
	}
	return nil
}

// parseSealedLine reads a line. A flipped bit must not get into a manifest.
func parseSealedLine(line string) (o sealedObject, id string, ok bool) {
	check, text, found := strings.Cut(line, " ")
	sum, err := strconv.ParseUint(check, 16, 32)
	if !found || err != nil || uint32(sum) != crc32.Checksum([]byte(text), digest.Castagnoli) {
		return sealedObject{}, "", false
	}
	var l sealedLine
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return sealedObject{}, "", false
	}
	o = sealedObject{key: l.Key, sums: store.Sums{Size: l.Size}}
	var err1, err2 error
	o.sums.SHA256, err1 = manifest.ParseHash(l.SHA256)
	o.sums.CRC32C, err2 = manifest.ParseCRC32C(l.CRC32C)
	return o, l.Archive, err1 == nil && err2 == nil && l.Size >= 0
}

// sealedPath is the file that outlives a run that is interrupted: one per archive and place.
func (w *LocalState) sealedPath(id string) string {
	return strings.TrimSuffix(w.path(id), ".json") + ".pending"
}
