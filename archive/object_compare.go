package archive

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
)

// presence is the state of a key that a run is about to put, or has put.
type presence int

const (
	absent  presence = iota
	foreign          // the object has other bytes than expected
	right            // the object has the expected bytes
	unread           // the object must be thawed before it can be read, so its bytes are unknown
)

// examine compares the object under a key with the expected checksums. Size and CRC-32C can be forged, so it
// reads the object back for its SHA-256. The exception is a secret key, which could not be predicted before
// the object existed, in a store that holds the object's CRC-32C.
func (a *Archive) examine(ctx context.Context, key string, sums store.Sums, secret bool) (presence, store.PutResult, error) {
	o, err := a.store.Stat(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return absent, store.PutResult{}, nil
	case err != nil:
		return absent, store.PutResult{}, fmt.Errorf("checking %s: %w", key, err)
	}
	return a.examineObject(ctx, key, &o, sums, secret)
}

// examineObject is examine for an object that Stat has found.
func (a *Archive) examineObject(
	ctx context.Context, key string, o *store.Object, sums store.Sums, secret bool,
) (is presence, _ store.PutResult, err error) {
	if o.Size != sums.Size || o.CRC32C != nil && *o.CRC32C != sums.CRC32C {
		return foreign, store.PutResult{}, nil
	}
	is = right
	if o.CRC32C == nil || !secret {
		is, err = a.compareStored(ctx, key, sums, soleMD5(o))
	}
	if err == nil && is == right {
		err = a.sync(ctx, key)
	}
	return is, store.PutResult{Existed: true, MD5: soleMD5(o)}, err
}

// soleMD5 returns the MD5 of an object if it is the provider's only checksum. The client that creates the
// object sets it, so it may be wrong.
func soleMD5(o *store.Object) string {
	if o.CRC32C != nil {
		return ""
	}
	return o.MD5
}

// sync makes an object durable that another run created, since that run may have ended before it did so.
func (a *Archive) sync(ctx context.Context, key string) error {
	s, ok := a.store.(store.Syncer)
	if !ok {
		return nil
	}
	if err := s.Sync(ctx, key); err != nil {
		return fmt.Errorf("making %s durable: %w", key, err)
	}
	return nil
}

// compareStored reads an object back and compares its SHA-256 and, unless md5 is empty, the provider's MD5.
func (a *Archive) compareStored(ctx context.Context, key string, sums store.Sums, md5 string) (presence, error) {
	return a.readAgain(ctx, key, func() error {
		s := newStoredSummer(md5)
		body := &resumingReader{ctx: ctx, a: a, key: key, left: sums.Size}
		defer body.close()
		if _, err := bufcopy.All(s, body); err != nil {
			return err
		}
		if got := s.Sums(); got.SHA256 != sums.SHA256 {
			return fmt.Errorf("%w: its bytes hash to %s, not to %s", ErrDamaged, got.SHA256, sums.SHA256)
		}
		return s.check()
	})
}

// storedSummer computes the checksums of an object that is read back.
type storedSummer struct {
	*digest.Hasher
	want string    // the provider's MD5; empty disables its comparison
	md5  hash.Hash // nil if want is empty
}

func newStoredSummer(want string) *storedSummer {
	s := &storedSummer{Hasher: digest.New(), want: want}
	if want != "" {
		s.md5 = md5.New()
	}
	return s
}

func (s *storedSummer) Write(b []byte) (int, error) {
	if s.md5 != nil {
		s.md5.Write(b)
	}
	return s.Hasher.Write(b)
}

// check compares the MD5, since a manifest must not record a wrong one.
func (s *storedSummer) check() error {
	if s.md5 == nil {
		return nil
	}
	if got := hex.EncodeToString(s.md5.Sum(nil)); got != s.want {
		return fmt.Errorf("%w: its bytes have the MD5 %s, and the provider reports %s", ErrDamaged, got, s.want)
	}
	return nil
}

// readAgain reads an object by calling read, which returns ErrDamaged for unexpected bytes. After ErrDamaged
// it reads once more before it reports the object as foreign, since the transfer may have damaged the bytes.
func (a *Archive) readAgain(ctx context.Context, key string, read func() error) (presence, error) {
	for attempt, damaged := 0, false; ; attempt++ {
		err := read()
		switch {
		case err == nil:
			return right, nil
		case ctx.Err() != nil:
			return absent, context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			return absent, nil
		case errors.Is(err, ErrDamaged) && (damaged || errors.Is(err, errTooLarge)):
			return foreign, nil
		case errors.As(err, new(*openError)), attempt == fetchAttempts-1:
			return absent, fmt.Errorf("reading back %s: %w", key, err)
		}
		damaged = errors.Is(err, ErrDamaged)
		if err := pause(ctx, attempt); err != nil {
			return absent, err
		}
	}
}
