package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

const (
	// maxOrphanKeys bounds the search for what an interrupted run left. In a log, new
	// names come after old ones, so that the search mostly meets nothing else.
	maxOrphanKeys = 20_000
	// sweepFrom is a size below which no provider sends an object in parts.
	sweepFrom = 16 << 20
)

// orphans are the data objects that bear the number aimed at. An interrupted run stored them,
// or an attacker who can create objects.
type orphans struct {
	keys        map[string]bool
	sameContent map[string][]string // those with a nonce, by their key without it; a few of each
	tooMany     bool                // there was too much to list: ask for each object by itself
}

func (l *orphans) mayExist(key string) bool { return l.tooMany || l.keys[key] }

func (l *orphans) add(key string) {
	l.keys[key] = true
	if without, nonce := manifest.CutNonce(key); nonce != "" && len(l.sameContent[without]) < maxSameContent {
		l.sameContent[without] = append(l.sameContent[without], key)
	}
}

// findOrphans lists the keys between the first and the last that are to be stored, so
// that nothing which was acknowledged already is sent again.
func (r *backupRun) findOrphans(ctx context.Context, upload []source.File) error {
	if !r.head.hasData || len(upload) == 0 {
		return nil
	}
	var first, last string
	for i := range upload {
		prefix := manifest.DataPrefix + manifest.EncodeName(upload[i].Name) + "/"
		if first == "" || prefix < first {
			first = prefix
		}
		last = max(last, prefix)
	}
	r.orphans.keys, r.orphans.sameContent = map[string]bool{}, map[string][]string{}
	seen := 0
	// Keys go on after the prefix with hex digits, all of which come before "g".
	for o, err := range r.store.List(ctx, manifest.DataPrefix, "", first) {
		if err != nil {
			return fmt.Errorf("looking for what an interrupted run left: %w", err)
		}
		if o.Key > last+"g" {
			break
		}
		if seen++; seen > maxOrphanKeys {
			r.orphans.tooMany = true
			break
		}
		if k, ok := manifest.ParseObjectKey(o.Key); ok && k.Sequence == r.next {
			r.orphans.add(o.Key)
		}
	}
	return nil
}

// checkNested makes sure that nothing of these files would be stored within a nested archive.
func (r *backupRun) checkNested(ctx context.Context, upload []source.File) error {
	if !r.head.hasData {
		return nil
	}
	return r.Archive.checkNested(ctx, func(yield func(string) bool) {
		for i := range upload {
			if !yield(manifest.DataPrefix + manifest.EncodeName(upload[i].Name) + "/") {
				return
			}
		}
	})
}

// adopt looks for an object that already holds the content of a part, whose key has no nonce
// yet, and completes the part. Sums are of the content. What cannot be compared with that is
// adopted only if this host had recorded it before it was put. Taken reports whether something
// else lies under the key without a nonce.
func (r *backupRun) adopt(ctx context.Context, part *manifest.Part, sums store.Sums) (adopted, taken bool, err error) {
	without := part.Object
	if encrypted(part.Encoding) {
		for _, o := range r.sealed.recorded(without) {
			if !r.orphans.mayExist(o.key) {
				continue
			}
			is, stored, err := r.examine(ctx, o.key, o.sums, true)
			if err == nil && is == right {
				r.complete(part, o.key, o.sums, stored)
			}
			if err != nil || is == right {
				return err == nil, false, err
			}
			if is == foreign {
				r.noteForeignKey(o.key)
			}
		}
		if !r.opensAll() {
			return false, false, nil
		}
	}
	for _, key := range append([]string{without}, r.orphans.sameContent[without]...) {
		if !r.orphans.mayExist(key) {
			continue
		}
		is, err := r.adoptKey(ctx, part, key, sums)
		if err != nil || is == right {
			return err == nil, false, err
		}
		if is == foreign {
			taken = taken || key == without
			r.noteForeignKey(key)
		}
	}
	return false, taken, nil
}

// opensAll reports whether what the identities open can surely be opened by all recipients.
func (r *backupRun) opensAll() bool {
	to := r.recipients()
	return len(to) == 1 && r.decoder.IsOf(to[0])
}

// adoptKey reads back the object under a key and, if it holds the content of a part, completes
// the part.
func (r *backupRun) adoptKey(ctx context.Context, part *manifest.Part, key string, sums store.Sums) (presence, error) {
	if part.Encoding == manifest.Plain {
		is, stored, err := r.examine(ctx, key, sums, false)
		if err == nil && is == right {
			r.complete(part, key, sums, stored)
		}
		return is, err
	}
	o, err := r.store.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, fmt.Errorf("looking at %s: %w", key, err)
	}
	var is store.Sums
	what, err := r.readAgain(ctx, key, func() (err error) {
		is, err = r.decodeBack(ctx, part, key, &o)
		return err
	})
	switch {
	case err != nil || what != right:
		return what, err
	case o.CRC32C != nil && *o.CRC32C != is.CRC32C:
		return foreign, nil
	}
	if err := r.sync(ctx, key); err != nil {
		return absent, err
	}
	r.complete(part, key, is, store.PutResult{Existed: true, MD5: soleMD5(&o)})
	return right, nil
}

// complete says in a part where its content lies, and counts it.
func (r *backupRun) complete(part *manifest.Part, key string, sums store.Sums, stored store.PutResult) {
	part.Object = key
	part.Stored = manifest.StoredSums{Size: sums.Size, SHA256: sums.SHA256, CRC32C: sums.CRC32C, MD5: stored.MD5}
	if part.Encoding == manifest.Plain {
		part.Stored.SHA256 = manifest.Hash{} // it is the part's
	}
	r.sent(1, sums.Size, stored.Existed)
}

// decodeBack reads an object back for the sums of its stored bytes. ErrDamaged: it does not
// hold the content of the part.
func (r *backupRun) decodeBack(ctx context.Context, part *manifest.Part, key string, o *store.Object) (store.Sums, error) {
	body := &resumingReader{ctx: ctx, a: r.Archive, key: key, left: o.Size}
	defer body.close()
	stored, plain := newStoredSummer(soleMD5(o)), digest.New()
	d := r.decoder.Decode(io.TeeReader(body, stored), part.Encoding, part.Size, nil)
	defer d.Close()
	_, err := io.Copy(plain, d)
	switch {
	case errors.Is(err, ErrNoIdentity):
		err = fmt.Errorf("%w: %w", ErrDamaged, err) // it is encrypted to others than its name says
	case err == nil:
		err = checkPart(part, plain.Sums())
	}
	if err == nil && stored.Size() != o.Size {
		err = fmt.Errorf("%w: %d of its %d bytes are its content", ErrDamaged, stored.Size(), o.Size)
	}
	if err == nil {
		err = stored.check()
	}
	return stored.Sums(), asDamage(err)
}

// sweep removes what interrupted uploads left behind at the provider, if this run has
// reason to think that there may be any.
func (r *backupRun) sweep(ctx context.Context) {
	s, ok := r.store.(store.Sweeper)
	if !ok || (!r.large && r.res.Adopted == 0) {
		return
	}
	n, err := s.Sweep(ctx)
	if err != nil {
		r.log.Warn("left-behind uploads could not be swept; the next run tries again", "error", err)
	}
	if n > 0 {
		r.log.Info("left-behind uploads were swept", "count", n)
	}
}
