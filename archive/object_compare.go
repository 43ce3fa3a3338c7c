package archive

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
)

// presence is what lies under a key that a run is about to put, or has put.
type presence int

const (
	absent  presence = iota
	foreign          // something else than what is to lie there
	right            // the bytes that are to lie there
)

// examine looks what lies under a key where bytes with these sums are to lie. Size and CRC-32C
// can be forged, so the object is read back for its SHA-256, unless the key was unforeseeable
// until the object existed (secret) and the store holds its CRC-32C.
func (a *Archive) examine(ctx context.Context, key string, sums store.Sums, secret bool) (presence, store.PutResult, error) {
	o, err := a.store.Stat(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return absent, store.PutResult{}, nil
	case err != nil:
		return absent, store.PutResult{}, fmt.Errorf("looking at %s: %w", key, err)
	}
	return a.examineObject(ctx, key, &o, sums, secret)
}

// examineObject is examine of an object that a Stat has found.
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

// soleMD5 is the MD5 of an object of which the provider holds no other checksum. The client that
// creates the object sets it, so that it may be wrong.
func soleMD5(o *store.Object) string {
	if o.CRC32C != nil {
		return ""
	}
	return o.MD5
}

// sync makes an object durable that another run created: it may not have come to that.
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

// compareStored reads an object back and compares its SHA-256 and, unless it is empty, the MD5 that
// the provider holds.
func (a *Archive) compareStored(ctx context.Context, key string, sums store.Sums, md5 string) (presence, error) {
	return a.readAgain(ctx, key, func() error {
		s := newStoredSummer(md5)
		body := &resumingReader{ctx: ctx, a: a, key: key, left: sums.Size}
		defer body.close()
		buf := buffers.Get().(*[digestBuffer]byte)
		defer buffers.Put(buf)
		if _, err := io.CopyBuffer(onlyWriter{s}, body, buf[:]); err != nil {
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
	want string    // the MD5 that the provider holds; empty: it is not compared
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

// check compares the MD5. A manifest must not name a wrong one.
func (s *storedSummer) check() error {
	if s.md5 == nil {
		return nil
	}
	if got := hex.EncodeToString(s.md5.Sum(nil)); got != s.want {
		return fmt.Errorf("%w: its bytes have the MD5 %s, and the provider holds %s", ErrDamaged, got, s.want)
	}
	return nil
}

// readAgain reads an object by calling read, which returns ErrDamaged for what should not lie
// there. It reads that once more before it takes it for foreign: the way may have damaged it.
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
