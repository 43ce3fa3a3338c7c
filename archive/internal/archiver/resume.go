package archiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// findOrphans lists the keys between the first and the last that are to be stored, so that stored content is not sent
// again.
func (r *backupRun) findOrphans(ctx context.Context, upload []source.File) error {
	if !r.src.Head.HasData || len(upload) == 0 {
		return nil
	}
	var first, last string
	for i := range upload {
		prefix := contentPrefix(&upload[i])
		if first == "" || prefix < first {
			first = prefix
		}
		last = max(last, prefix)
	}
	r.orphans = objects.NewOrphans()
	seen := 0
	// After the prefix, keys continue with hex digits, which all sort before "g".
	for o, err := range r.repo.Store.List(ctx, manifest.DataPrefix, "", first) {
		if err != nil {
			return fmt.Errorf("listing the orphans of an interrupted run: %w", err)
		}
		if o.Key > last+"g" {
			break
		}
		if seen++; seen > objects.MaxOrphanKeys {
			r.orphans.TooMany = true
			break
		}
		if k, ok := manifest.ParseObjectKey(o.Key); ok && k.Sequence == r.next {
			r.orphans.Add(o.Key)
		}
	}
	return nil
}

// checkNested returns an error if any of these files would be stored within a nested archive.
func (r *backupRun) checkNested(ctx context.Context, upload []source.File) error {
	if !r.src.Head.HasData {
		return nil
	}
	return nested.CheckNested(ctx, r.repo.Objects, func(yield func(string) bool) {
		for i := range upload {
			if !yield(contentPrefix(&upload[i])) {
				return
			}
		}
	})
}

// adopt searches for an object that already holds the content of a part, and completes the part with it. The part's key
// has no nonce yet, and sums are those of the content. An object that cannot be compared with them is adopted only if
// this host recorded it before it was put. taken reports whether the key without a nonce holds other content, or
// content that must be thawed.
func (r *backupRun) adopt(ctx context.Context, part *manifest.Part, sums store.Sums) (adopted, taken bool, err error) {
	without := part.Object
	if objects.Encrypted(part.Encoding) {
		for _, o := range r.repo.Sealed.Recorded(without) {
			if !r.orphans.MayExist(o.Key) {
				continue
			}
			is, stored, err := r.repo.Examine(ctx, o.Key, o.Sums, true)
			is, err = r.orUnread(is, err)
			if err == nil && is == objects.Right {
				r.complete(part, o.Key, o.Sums, stored)
			}
			if err != nil || is == objects.Right {
				return err == nil, false, err
			}
			r.noteTaken(o.Key, is)
		}
		if !r.opensAll() {
			return false, false, nil
		}
	}
	for _, key := range r.orphans.WithContent(without) {
		if !r.orphans.MayExist(key) {
			continue
		}
		is, err := r.orUnread(r.adoptKey(ctx, part, key, sums))
		if err != nil || is == objects.Right {
			return err == nil, false, err
		}
		if r.noteTaken(key, is) {
			taken = taken || key == without
		}
	}
	return false, taken, nil
}

// opensAll reports whether all recipients can certainly decrypt what the identities decrypt.
func (r *backupRun) opensAll() bool {
	to := r.recipients()
	return len(to) == 1 && r.repo.Decoder.IsOf(to[0])
}

// adoptKey reads back the object under a key. If it holds the content of a part, adoptKey completes the part.
func (r *backupRun) adoptKey(ctx context.Context, part *manifest.Part, key string, sums store.Sums) (objects.Presence, error) {
	if part.Encoding == manifest.Plain {
		is, stored, err := r.repo.Examine(ctx, key, sums, false)
		if err == nil && is == objects.Right {
			r.complete(part, key, sums, stored)
		}
		return is, err
	}
	o, err := r.repo.Store.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return objects.Absent, nil
	}
	if err != nil {
		return objects.Absent, fmt.Errorf("reading the attributes of %s: %w", key, err)
	}
	var is store.Sums
	what, err := r.repo.ReadAgain(ctx, key, func() (err error) {
		is, err = r.decodeBack(ctx, part, key, &o)
		return err
	})
	switch {
	case err != nil || what != objects.Right:
		return what, err
	case o.CRC32C != nil && *o.CRC32C != is.CRC32C:
		return objects.Foreign, nil
	}
	if err := r.repo.Sync(ctx, key); err != nil {
		return objects.Absent, err
	}
	r.complete(part, key, is, store.PutResult{Existed: true, MD5: objects.SoleMD5(&o)})
	return objects.Right, nil
}

// complete records in a part where its content is stored, and counts it.
func (r *backupRun) complete(part *manifest.Part, key string, sums store.Sums, stored store.PutResult) {
	part.Object = key
	part.Stored = manifest.StoredSums{Size: sums.Size, SHA256: sums.SHA256, CRC32C: sums.CRC32C, MD5: stored.MD5}
	if part.Encoding == manifest.Plain {
		part.Stored.SHA256 = manifest.Hash{} // it is the part's
	}
	r.sent(1, sums.Size, stored.Existed)
}

// decodeBack reads an object back and returns the sums of its stored bytes. The error is ErrDamaged if it does not hold
// the content of the part.
func (r *backupRun) decodeBack(ctx context.Context, part *manifest.Part, key string, o *store.Object) (store.Sums, error) {
	body := r.repo.ReadRange(ctx, key, 0, o.Size)
	defer body.Close()
	stored, plain := objects.NewStoredSummer(objects.SoleMD5(o)), digest.New()
	d := r.repo.Decoder.Decode(io.TeeReader(body, stored), part.Encoding, part.Size, nil)
	defer d.Close()
	_, err := io.Copy(plain, d)
	switch {
	case errors.Is(err, values.ErrNoIdentity):
		err = fmt.Errorf("%w: %w", values.ErrDamaged, err) // its recipients differ from those that its key names
	case err == nil:
		err = objects.CheckPart(part, plain.Sums())
	}
	if err == nil && stored.Size() != o.Size {
		err = fmt.Errorf("%w: %d of its %d bytes are its content", values.ErrDamaged, stored.Size(), o.Size)
	}
	if err == nil {
		err = stored.Check()
	}
	return stored.Sums(), objects.AsDamage(err)
}

// sweep removes the data of interrupted uploads at the provider. It runs only if this run or an interrupted one may
// have left any.
func (r *backupRun) sweep(ctx context.Context) {
	s, ok := r.repo.Store.(store.Sweeper)
	if !ok || (!r.large && r.src.Res.Adopted == 0) {
		return
	}
	n, err := s.Sweep(ctx)
	if err != nil {
		r.repo.Log.Warn("interrupted uploads could not be removed; the next run tries again", "error", err)
	}
	if n > 0 {
		r.repo.Log.Info("interrupted uploads were removed", "count", n)
	}
}
