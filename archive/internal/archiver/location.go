package archiver

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// maxPlaces is how many keys a run tries for one object. Those with a nonce cannot be foreseen.
const maxPlaces = 4

// A placement is an object that a run stores, and the keys under which it may be stored.
type placement struct {
	key    string // without a nonce
	body   io.ReaderAt
	sums   store.Sums
	sealed bool // only under a key that cannot be foreseen
	taken  bool // the key without a nonce holds other content

	// same checks an object that exists under a key and has other bytes. It returns right if these bytes encode the
	// same content. If same is nil, such an object is foreign.
	same func(ctx context.Context, key string) (objects.Presence, error)
}

// location is where an object is stored.
type location struct {
	key    string
	stored store.PutResult
	same   bool // placement.same accepted other bytes
}

// chooseKey puts an object. If the key without a nonce holds other content, it uses a key with a nonce. An attacker who
// can create objects can foresee the key without a nonce, and must not be able to stop a backup. The same goes for a
// rule of the bucket, which may have frozen what an interrupted run left: that cannot be compared.
func (r *backupRun) chooseKey(ctx context.Context, p *placement) (location, error) {
	taken := p.taken
	for range maxPlaces {
		key := p.key
		if p.sealed || taken {
			key = manifest.WithNonce(key, manifest.NewNonce())
		}
		if p.sealed {
			r.repo.Sealed.Add(key, p.sums)
		}
		stored, err := r.repo.Store.Put(ctx, key, p.body, p.sums)
		is := objects.Right
		blocked, _ := errors.AsType[*store.Blocked](err)
		switch {
		case blocked != nil && blocked.AtKey:
			r.src.Warn("%v", blocked)
			is, err = objects.Foreign, nil
		case errors.Is(err, store.ErrExists):
			if is, err = r.orUnread(p.other(ctx, key)); is == objects.Right && err == nil {
				return location{key, store.PutResult{Existed: true}, true}, nil
			}
		case errors.Is(err, store.ErrFrozen), err == nil && stored.Frozen != "":
			is, err = objects.Unread, nil
		case err != nil:
			err = fmt.Errorf("storing: %w", err)
		case stored.Existed:
			is, err = r.orUnread(r.repo.CompareStored(ctx, key, p.sums, stored.MD5))
		}
		switch {
		case err != nil:
			return location{}, err
		case is == objects.Right:
			return location{key, stored, false}, nil
		}
		r.noteTaken(key, is)
		taken = true
	}
	return location{}, fmt.Errorf("storing %s: this key and each other key that was tried held other content: %w",
		p.key, store.ErrExists)
}

// orUnread returns the result of a comparison, and unread if the object must be thawed before it can be compared.
func (*backupRun) orUnread(is objects.Presence, err error) (objects.Presence, error) {
	if errors.Is(err, store.ErrFrozen) {
		return objects.Unread, nil
	}
	return is, err
}

func (p *placement) other(ctx context.Context, key string) (objects.Presence, error) {
	if p.same == nil {
		return objects.Foreign, nil
	}
	return p.same(ctx, key)
}

// noteTaken records a key that holds other content than this run needs there, or content that cannot be read. It
// reports whether it does.
func (r *backupRun) noteTaken(key string, is objects.Presence) bool {
	r.src.Mu.Lock()
	defer r.src.Mu.Unlock()
	switch is {
	case objects.Foreign:
		r.foreignKeys = append(r.foreignKeys, key)
	case objects.Unread:
		r.frozenKeys = append(r.frozenKeys, key)
	default:
		return false
	}
	return true
}

// warnForeign warns about the objects that the run has found under its keys and did not use.
func (r *backupRun) warnForeign() {
	r.src.Mu.Lock()
	keys, frozen := r.foreignKeys, r.frozenKeys
	r.foreignKeys, r.frozenKeys = nil, nil
	r.src.Mu.Unlock()
	if len(frozen) > 0 {
		r.src.Warn("objects that no snapshot names must be thawed before they can be read, so this run could not compare them "+
			"and stored their content under other keys; it used none of the %d: %s. An interrupted run left them, and a rule "+
			"of the bucket has moved them. The next prune removes them", len(frozen), objects.NameSome(frozen))
	}
	if len(keys) > 0 {
		r.src.Warn("objects that this run did not store do not match their names; it used none of the %d: %s. "+
			"Find out who else can create objects in this archive. The next prune removes them",
			len(keys), objects.NameSome(keys))
	}
}
