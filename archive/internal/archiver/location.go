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

// chooseKey puts an object. If the key without a nonce holds other content, it uses a key with a nonce. An attacker who
// can create objects can foresee the key without a nonce, and must not be able to stop a backup. The same goes for a
// rule of the bucket, which may have frozen what an interrupted run left: that cannot be compared.
func (r *backupRun) chooseKey(ctx context.Context, p *placement) (objects.Placed, error) {
	at, err := r.repo.Place(ctx, &objects.Placement{
		Body: p.body, Sums: p.sums, Tries: maxPlaces, MD5: true,
		Key: func(try int) string {
			if !p.sealed && !p.taken && try == 0 {
				return p.key
			}
			key := manifest.WithNonce(p.key, manifest.NewNonce())
			if p.sealed {
				r.repo.Sealed.Add(key, p.sums)
			}
			return key
		},
		Refused: func(ctx context.Context, key string, err error) (objects.Presence, error) {
			return r.refused(ctx, p, key, err)
		},
		Again: func(at objects.Placed) error {
			r.noteTaken(at.Key, at.Is)
			return nil
		},
	})
	if err == nil && at.Is != objects.Right {
		err = fmt.Errorf("storing %s: this key and each other key that was tried held other content: %w",
			p.key, store.ErrExists)
	}
	return at, err
}

// refused decides what an error of the store means for a key. That another object has the key is no error: there are
// other keys.
func (r *backupRun) refused(ctx context.Context, p *placement, key string, err error) (objects.Presence, error) {
	blocked, _ := errors.AsType[*store.Blocked](err)
	switch {
	case blocked != nil && blocked.AtKey:
		r.src.Warn("%v", blocked)
		return objects.Foreign, nil
	case errors.Is(err, store.ErrExists):
		return r.orUnread(p.other(ctx, key))
	case errors.Is(err, store.ErrFrozen):
		return objects.Unread, nil
	}
	return objects.Absent, fmt.Errorf("storing: %w", err)
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
