package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
)

// ErrNoIdentity says that what is wanted is encrypted, and no identity that was given opens it.
var ErrNoIdentity = encoding.ErrNoIdentity

// choose tells how a stretch of a file is stored.
func (r *backupRun) choose(content io.ReaderAt, size int64) (string, error) {
	if r.encoder == nil {
		return manifest.Plain, nil
	}
	how, err := r.encoder.Choose(content, size)
	if err != nil {
		return "", fmt.Errorf("looking whether it can be compressed: %w", err)
	}
	return how, nil
}

// recipients are those that this run encrypts to.
func (r *backupRun) recipients() []string {
	if r.encoder == nil {
		return nil
	}
	return r.encoder.Recipients()
}

// storeEncoded puts a stretch of a file that is compressed or encrypted, unless a
// broken-off run has done so.
func (r *backupRun) storeEncoded(ctx context.Context, name string, content *counted, sums Sums, how string) (manifest.Part, error) {
	part := manifest.Part{
		Object: manifest.DataKey(name, sums.SHA256, r.next, how, r.recipients()), Size: sums.Size, SHA256: sums.SHA256, Encoding: how,
	}
	if r.left.keys[part.Object] || r.left.ask {
		found, err := r.adoptEncoded(ctx, &part)
		if err != nil || found {
			return part, err
		}
	}
	x, err := r.encoder.Encode(ctx, io.NewSectionReader(content, 0, sums.Size), sums.Size, how)
	if err != nil {
		return part, err
	}
	defer x.Close()
	if x.Plain != encoding.Sums(sums) {
		return part, fmt.Errorf("it was written to while it was encoded: %w", ErrMismatch)
	}
	stored, err := r.store.Put(ctx, part.Object, x, Sums(x.Stored))
	if errors.Is(err, ErrExists) { // other bytes of the same content: encryption gives others each time
		var found bool
		if found, err = r.adoptEncoded(ctx, &part); err == nil && !found {
			err = fmt.Errorf("%s was there and is gone: %w", part.Object, errRaced)
		}
		return part, err
	}
	if err != nil {
		return part, fmt.Errorf("storing: %w", err)
	}
	part.Stored = manifest.Stored{Size: x.Stored.Size, SHA256: x.Stored.SHA256, CRC32C: x.Stored.CRC32C, MD5: stored.MD5}
	r.sent(1, x.Stored.Size, stored.Existed)
	return part, nil
}

// adoptEncoded reads back an object that a broken-off run may have stored, to learn what
// its bytes are, and reports whether it is there. What can be decoded is compared with what
// its name says; what is encrypted to others was checked by the store when it was made.
func (r *backupRun) adoptEncoded(ctx context.Context, part *manifest.Part) (bool, error) {
	o, err := r.store.Stat(ctx, part.Object)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at %s: %w", part.Object, err)
	}
	var stored Sums
	for attempt := 0; ; attempt++ {
		stored, err = r.readBack(ctx, part, o.Size)
		if err == nil || errors.Is(err, ErrDamaged) || ctx.Err() != nil || attempt == fetchAttempts-1 {
			break
		}
		if err := pause(ctx, attempt); err != nil {
			return false, err
		}
	}
	switch {
	case errors.Is(err, ErrDamaged) || err == nil && o.CRC32C != nil && *o.CRC32C != stored.CRC32C:
		return false, fmt.Errorf("%s is not what its name says; delete it and run again: %w (%w)", part.Object, ErrExists, errors.Join(err))
	case err != nil:
		return false, fmt.Errorf("reading back %s: %w", part.Object, err)
	}
	part.Stored = manifest.Stored{Size: stored.Size, SHA256: stored.SHA256, CRC32C: stored.CRC32C, MD5: o.MD5}
	r.sent(1, stored.Size, true)
	return true, nil
}

func (r *backupRun) readBack(ctx context.Context, part *manifest.Part, size int64) (Sums, error) {
	body := &resumed{ctx: ctx, a: r.Archive, key: part.Object, left: size}
	defer body.close()
	stored := newSummer()
	raw := io.TeeReader(body, stored)
	if encrypted(part.Encoding) && !r.decoder.Opens() {
		_, err := io.Copy(io.Discard, raw)
		return stored.sums(), err
	}
	plain := newSummer()
	d := r.decoder.Decode(raw, part.Encoding, part.Size, nil)
	defer d.Close()
	_, err := io.Copy(plain, d)
	if errors.Is(err, ErrNoIdentity) { // those that were given are not of these recipients
		_, err = io.Copy(io.Discard, raw)
		return stored.sums(), err
	}
	if err == nil {
		err = checkPart(part, plain.sums())
	}
	if err == nil {
		_, err = io.Copy(io.Discard, raw)
	}
	return stored.sums(), asDamage(err)
}

// asDamage makes an error of decoding one of the archive.
func asDamage(err error) error {
	if errors.Is(err, encoding.ErrDamaged) && !errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// canOpen looks whether the identities open what files are encrypted to, before anything is
// done that would be in vain: by whom the manifest names and, unless nothing is to be read
// yet, by the header of the smallest part for each set of recipients.
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
	head := &resumed{ctx: ctx, a: a, key: p.Object, offset: offsetOf(p), left: min(p.Stored.Size, encoding.HeadSize)}
	defer head.close()
	err := a.decoder.CanOpen(head)
	if errors.Is(err, ErrNoIdentity) && a.checkSealed(ctx, p) != nil {
		return nil // a damaged header is for nobody: that is told when it is read
	}
	return err
}

// smallestEncrypted gives the smallest part for each set of recipients.
func smallestEncrypted(files []manifest.File) map[string]*manifest.Part {
	smallest := map[string]*manifest.Part{}
	for i := range files {
		for j := range files[i].Parts {
			p := &files[i].Parts[j]
			if !encrypted(p.Encoding) {
				continue
			}
			tag := "" // a bundle's key does not tell it
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

// recipientsOf are all to whom anything in the set is encrypted: those of this run and, of
// what is kept, those that the base names.
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
	if ours {
		all = r.recipients()
	}
	if kept && r.head.base != nil {
		all = append(all, r.head.base.m.Recipients...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
