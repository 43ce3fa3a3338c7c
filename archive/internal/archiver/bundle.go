package archiver

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

const (
	// bundleFrom is the number of new small files from which on a snapshot bundles them (format.md, Bundles).
	bundleFrom = 17
	// bundlesAtOnce is how many bundles are built concurrently, each in memory: one is read and hashed while the other
	// is sent.
	bundlesAtOnce = 2
)

// bundleBuffers provides the memory of bundles. Reusing it, instead of leaving it to the garbage collector, keeps the
// program small.
type bundleBuffers chan []byte

func newBundleBuffers() bundleBuffers {
	b := make(bundleBuffers, bundlesAtOnce)
	for range bundlesAtOnce {
		b <- nil
	}
	return b
}

// take waits for a buffer with room for size bytes.
func (b bundleBuffers) take(ctx context.Context, size int64) ([]byte, error) {
	select {
	case buf := <-b:
		if int64(cap(buf)) < size {
			buf = make([]byte, 0, size)
		}
		return buf[:0], nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// bundles groups files, by their index, by the object that will hold them. If there are many small closed files, these
// share objects end to end in name order. Every other file gets an object of its own. The tail is not bundled, so that
// its next growth can be stored by itself. most returns the maximum stored size of content of a size.
func bundles(files []source.File, most func(int64) int64) [][]int {
	small := func(f *source.File) bool { return f.State == source.Closed && most(f.Size) <= manifest.BundlePart }
	many := 0
	for i := range files {
		if small(&files[i]) {
			many++
		}
	}
	var groups [][]int
	var open []int
	var size int64
	for i := range files {
		f := &files[i]
		if many < bundleFrom || !small(f) {
			groups = append(groups, []int{i})
			continue
		}
		if len(open) > 0 && size+most(f.Size) > manifest.MaxBundle {
			groups = append(groups, open)
			open, size = nil, 0
		}
		open = append(open, i)
		size += most(f.Size)
	}
	if len(open) > 0 {
		groups = append(groups, open)
	}
	return groups
}

// storeBundle sets the entries of small files, and stores those whose content the parent does not have end to end in
// one object.
func (r *backupRun) storeBundle(ctx context.Context, buffers bundleBuffers, files []source.File, group []int, entries []manifest.File) error {
	var size int64
	for _, i := range group {
		size += r.mostEncoded(files[i].Size)
	}
	buf, err := buffers.take(ctx, size)
	if err != nil {
		return err
	}
	defer func() { buffers <- buf }()
	b := bundle{content: buf, entries: make([]*manifest.File, 0, len(group)), was: make([]*manifest.File, 0, len(group))}
	for _, i := range group {
		if err := r.addToBundle(ctx, &b, &files[i], parentEntry(r.src.Parent(), files[i].Name), &entries[i]); err != nil {
			return fmt.Errorf("%s: %w", files[i].Name, err)
		}
	}
	if len(b.entries) == 0 {
		return nil
	}
	key, err := r.putBundle(ctx, &b)
	if err != nil {
		return err
	}
	for k, e := range b.entries {
		e.Parts[0].Object = key
		r.added(e, b.was[k], e.Size)
	}
	return nil
}

// A bundle is built in memory: its content, the entries of its files, and the parent's entries of the same files.
type bundle struct {
	content []byte
	entries []*manifest.File
	was     []*manifest.File
}

// addToBundle reads a file to the end of the bundle, unless the parent has its content.
func (r *backupRun) addToBundle(ctx context.Context, b *bundle, f *source.File, was, e *manifest.File) error {
	if same, ok, err := r.src.ReuseCompared(f, was); ok || err != nil {
		*e = same
		objects.FileDone(r.repo.Progress)
		return err
	}
	*e = manifest.File{Name: f.Name, Size: f.Size, Modified: scan.Modified(f), Snapshot: r.next, State: scan.StateOf(f)}
	content, err := r.src.Capture.Open(f.Name)
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	defer content.Close()
	offset := int64(len(b.content))
	into := bytes.NewBuffer(b.content)
	both, log := io.Writer(into), r.src.Layout.EntryReader(f.Name)
	if log != nil {
		both = io.MultiWriter(into, log)
	}
	err = bufcopy.Range(ctx, objects.NewHashing(content, r.repo.Progress), 0, f.Size, both)
	if err == nil {
		err = content.Unchanged()
	}
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	whole := into.Bytes()
	sums := manifest.StoredSumsOf(whole[offset:])
	e.SHA256 = sums.SHA256
	if log != nil {
		res := log.Result()
		e.Check = r.src.Check(f.Name, &res)
	}
	r.repo.Progress.BytesDone.Add(f.Size)
	objects.FileDone(r.repo.Progress)
	if r.src.CanReuseBase && was != nil && !r.src.NeedsLostObject(was) && was.SHA256 == e.SHA256 && len(was.Parts) == 1 {
		e.Parts, e.Snapshot = was.Parts, was.Snapshot
		return nil
	}
	part := manifest.Part{
		Size: f.Size, SHA256: e.SHA256, Encoding: manifest.Plain,
		Stored: manifest.StoredSums{Size: f.Size, CRC32C: sums.CRC32C, Offset: &offset},
	}
	if whole, err = r.encodeLast(ctx, whole, &part); err != nil {
		return err
	}
	e.Parts = []manifest.Part{part}
	b.content = whole
	b.entries, b.was = append(b.entries, e), append(b.was, was)
	return nil
}

// encodeLast replaces a part's plain content, at the end of a bundle, with its encoded content.
func (r *backupRun) encodeLast(ctx context.Context, content []byte, part *manifest.Part) ([]byte, error) {
	plain := content[*part.Stored.Offset:]
	how, err := r.pickEncoding(bytes.NewReader(plain), part.Size)
	if err != nil || how == manifest.Plain {
		return content, err
	}
	x, err := r.repo.Encoder.Encode(ctx, bytes.NewReader(plain), part.Size, how)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	content = append(content[:*part.Stored.Offset], make([]byte, x.Stored.Size)...)
	if _, err := io.ReadFull(io.NewSectionReader(x, 0, x.Stored.Size), content[*part.Stored.Offset:]); err != nil {
		return nil, fmt.Errorf("reading the encoded bytes: %w", err)
	}
	part.Encoding = how
	part.Stored.Size, part.Stored.SHA256, part.Stored.CRC32C = x.Stored.Size, x.Stored.SHA256, x.Stored.CRC32C
	return content, nil
}

// mostEncoded returns the maximum stored size of content of a size.
func (r *backupRun) mostEncoded(size int64) int64 {
	if r.repo.Encoder == nil {
		return size
	}
	return max(size, r.repo.Encoder.Most(size))
}

// putBundle stores a bundle, unless it exists, and returns its key.
func (r *backupRun) putBundle(ctx context.Context, b *bundle) (string, error) {
	s := manifest.StoredSumsOf(b.content)
	p := placement{
		key: manifest.BundleKey(s.SHA256, r.next), body: bytes.NewReader(b.content),
		sums: store.Sums{Size: s.Size, SHA256: s.SHA256, CRC32C: s.CRC32C},
	}
	if r.src.Head.HasBundles {
		is, stored, err := r.repo.Examine(ctx, p.key, p.sums, false)
		is, err = r.orUnread(is, err)
		switch {
		case err != nil:
			return "", fmt.Errorf("checking for an existing bundle: %w", err)
		case is == objects.Right:
			r.sent(len(b.entries), s.Size, stored.Existed)
			return p.key, nil
		}
		p.taken = r.noteTaken(p.key, is)
	}
	at, err := r.chooseKey(ctx, &p)
	if err != nil {
		return "", fmt.Errorf("a bundle: %w", err)
	}
	r.sent(len(b.entries), s.Size, at.Stored.Existed)
	return at.Key, nil
}
