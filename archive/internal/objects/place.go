package objects

import (
	"context"
	"errors"
	"io"

	"github.com/strongroom-dev/strongroom/store"
)

// A Placement is an object that Place is to store. The functions and MD5 are what differs between the operations.
type Placement struct {
	Body  io.ReaderAt
	Sums  store.Sums
	Tries int                  // how often Place puts the object, if there is an Again
	Key   func(try int) string // the key of a try, which counts from 0
	MD5   bool                 // a manifest will have the provider's only checksum, so it is compared too

	// Read reads back an object in a class from which it must be thawed, since it may be thawed. If Read is not set, such
	// an object is Unread without a request.
	Read bool

	// Refused decides what an error of the store's Put means for the key. Place returns the error of Refused. With Right,
	// the object under the key has other bytes that serve as well.
	Refused func(ctx context.Context, key string, err error) (Presence, error)

	// Again prepares for the next try after one that has not stored the object. It is called after the last try too. Place
	// returns its error. If Again is nil, there is no next try.
	Again func(at Placed) error
}

// Placed is the outcome of a try. The object is stored only if Is is Right.
type Placed struct {
	Key    string
	Stored store.PutResult
	Is     Presence
	Other  bool  // the object has other bytes, and Refused accepts them
	Err    error // why an object that was to be read is Unread
}

// Place puts an object that must not replace another one. It reads an existing object back before it counts as stored:
// size and CRC-32C can be forged. If every key has something else, it returns the last outcome, and no error.
func (a *Objects) Place(ctx context.Context, p *Placement) (Placed, error) {
	for try := 0; ; try++ {
		at, err := a.tryPlace(ctx, p, p.Key(try))
		if err != nil || at.Is == Right || p.Again == nil {
			return at, err
		}
		if err := p.Again(at); err != nil || try+1 >= p.Tries {
			return at, err
		}
	}
}

func (a *Objects) tryPlace(ctx context.Context, p *Placement, key string) (at Placed, err error) {
	at = Placed{Key: key, Is: Right}
	at.Stored, err = a.Store.Put(ctx, key, p.Body, p.Sums)
	switch {
	case err != nil:
		at.Stored = store.PutResult{Existed: true}
		at.Is, err = p.Refused(ctx, key, err)
		at.Other = at.Is == Right
	case at.Stored.Frozen != "" && !p.Read:
		at.Is = Unread
	case at.Stored.Existed:
		md5 := at.Stored.MD5
		if !p.MD5 {
			md5 = ""
		}
		at.Is, err = a.CompareStored(ctx, key, p.Sums, md5)
		if errors.Is(err, store.ErrFrozen) {
			at.Is, at.Err, err = Unread, err, nil
		}
	}
	return at, err
}
