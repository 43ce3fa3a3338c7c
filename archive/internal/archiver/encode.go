package archiver

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// pickEncoding returns the encoding in which a section of a file is stored.
func (r *backupRun) pickEncoding(content io.ReaderAt, size int64) (string, error) {
	if r.repo.Encoder == nil {
		return manifest.Plain, nil
	}
	how, err := r.repo.Encoder.Choose(content, size)
	if err != nil {
		return "", fmt.Errorf("testing whether it can be compressed: %w", err)
	}
	return how, nil
}

// recipients returns the recipients that this run encrypts to.
func (r *backupRun) recipients() []string {
	if r.repo.Encoder == nil {
		return nil
	}
	return r.repo.Encoder.Recipients()
}

// storeEncoded puts a section of a file compressed or encrypted, unless an object with its content can be adopted.
func (r *backupRun) storeEncoded(
	ctx context.Context, part manifest.Part, content *counted, sums store.Sums,
) (manifest.Part, error) {
	adopted, taken, err := r.adopt(ctx, &part, sums)
	if err != nil || adopted {
		return part, err
	}
	x, err := r.repo.Encoder.Encode(ctx, io.NewSectionReader(content, 0, sums.Size), sums.Size, part.Encoding)
	if err != nil {
		return part, err
	}
	defer x.Close()
	if x.Plain != store.Sums(sums) {
		return part, fmt.Errorf("it was written to while it was encoded: %w", store.ErrMismatch)
	}
	p := placement{key: part.Object, body: x, sums: x.Stored, sealed: objects.Encrypted(part.Encoding), taken: taken}
	if !p.sealed { // another run may have compressed the same content differently
		p.same = func(ctx context.Context, key string) (objects.Presence, error) {
			return r.adoptKey(ctx, &part, key, sums)
		}
	}
	at, err := r.chooseKey(ctx, &p)
	if err == nil && !at.Other {
		r.complete(&part, at.Key, p.sums, at.Stored)
	}
	return part, err
}

// recipientsOf returns all recipients of encrypted parts in the set. These are the recipients of this run for new
// parts, and those that the base names for reused parts.
func (r *backupRun) recipientsOf(files []manifest.File) []string {
	var all []string
	kept, ours := false, false
	for i := range files {
		for j := range files[i].Parts {
			p := &files[i].Parts[j]
			if !objects.Encrypted(p.Encoding) {
				continue
			}
			if k, ok := manifest.ParseObjectKey(p.Object); ok && k.Sequence == r.next {
				ours = true
			} else {
				kept = true
			}
		}
	}
	kept = kept || r.partial != nil && r.partial.hasEncrypted()
	if ours {
		all = r.recipients()
	}
	if kept && r.src.Head.Base != nil {
		all = append(all, r.src.Head.Base.Manifest.Recipients...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
