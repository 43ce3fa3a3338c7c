package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// ErrNoIdentity reports that content is encrypted, and that none of the given identities decrypts it.
var ErrNoIdentity = encoding.ErrNoIdentity

// pickEncoding returns the encoding in which a section of a file is stored.
func (r *backupRun) pickEncoding(content io.ReaderAt, size int64) (string, error) {
	if r.encoder == nil {
		return manifest.Plain, nil
	}
	how, err := r.encoder.Choose(content, size)
	if err != nil {
		return "", fmt.Errorf("testing whether it can be compressed: %w", err)
	}
	return how, nil
}

// recipients returns the recipients that this run encrypts to.
func (r *backupRun) recipients() []string {
	if r.encoder == nil {
		return nil
	}
	return r.encoder.Recipients()
}

// storeEncoded puts a section of a file compressed or encrypted, unless an object with its content can be adopted.
func (r *backupRun) storeEncoded(
	ctx context.Context, part manifest.Part, content *counted, sums store.Sums,
) (manifest.Part, error) {
	adopted, taken, err := r.adopt(ctx, &part, sums)
	if err != nil || adopted {
		return part, err
	}
	x, err := r.encoder.Encode(ctx, io.NewSectionReader(content, 0, sums.Size), sums.Size, part.Encoding)
	if err != nil {
		return part, err
	}
	defer x.Close()
	if x.Plain != store.Sums(sums) {
		return part, fmt.Errorf("it was written to while it was encoded: %w", store.ErrMismatch)
	}
	p := placement{key: part.Object, body: x, sums: x.Stored, sealed: encrypted(part.Encoding), taken: taken}
	if !p.sealed { // another run may have compressed the same content differently
		p.same = func(ctx context.Context, key string) (presence, error) { return r.adoptKey(ctx, &part, key, sums) }
	}
	at, err := r.chooseKey(ctx, &p)
	if err == nil && !at.same {
		r.complete(&part, at.key, p.sums, at.stored)
	}
	return part, err
}

// asDamage also wraps ErrDamaged if the decoder has found damage.
func asDamage(err error) error {
	if errors.Is(err, encoding.ErrDamaged) && !errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// canOpen checks whether the identities decrypt the files, before an operation does work in vain. It compares them with
// the recipients that the manifest names. With read, it also checks the header of the smallest part for each set of
// recipients.
func (a *Archive) canOpen(ctx context.Context, m *manifest.Manifest, files []manifest.File, read bool) error {
	smallest := smallestEncrypted(files)
	if len(smallest) > 0 && len(m.Recipients) > 0 {
		if err := a.decoder.Match(m.Recipients); err != nil {
			return err
		}
	}
	if !read {
		return nil
	}
	for _, p := range smallest {
		if err := a.canOpenPart(ctx, p); errors.Is(err, ErrNoIdentity) {
			return fmt.Errorf("%s: %w", p.Object, err)
		}
	}
	return nil
}

func (a *Archive) canOpenPart(ctx context.Context, p *manifest.Part) error {
	head := &resumingReader{ctx: ctx, a: a, key: p.Object, offset: offsetOf(p), left: min(p.Stored.Size, encoding.HeadSize)}
	defer head.close()
	err := a.decoder.CanOpen(head)
	if errors.Is(err, ErrNoIdentity) && a.checkSealed(ctx, p) != nil {
		return nil // a damaged header matches no identity; reading the part reports the damage
	}
	return err
}

// smallestEncrypted returns the smallest part for each set of recipients.
func smallestEncrypted(files []manifest.File) map[string]*manifest.Part {
	smallest := map[string]*manifest.Part{}
	for i := range files {
		for j := range files[i].Parts {
			p := &files[i].Parts[j]
			if !encrypted(p.Encoding) {
				continue
			}
			tag := "" // a bundle's key has no tag
			if p.Stored.Offset == nil {
				tag = p.Object[len(p.Object)-len("00000000.age"):]
			}
			if s := smallest[tag]; s == nil || p.Stored.Size < s.Stored.Size {
				smallest[tag] = p
			}
		}
	}
	return smallest
}

func encrypted(how string) bool { return how == manifest.Age || how == manifest.ZstdAge }

// recipientsOf returns all recipients of encrypted parts in the set. These are the recipients of this run for new
// parts, and those that the base names for reused parts.
func (r *backupRun) recipientsOf(files []manifest.File) []string {
	var all []string
	kept, ours := false, false
	for i := range files {
		for j := range files[i].Parts {
			p := &files[i].Parts[j]
			if !encrypted(p.Encoding) {
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
	if kept && r.head.base != nil {
		all = append(all, r.head.base.m.Recipients...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
