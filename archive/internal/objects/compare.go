package objects

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
)

// Presence is the state of a key that a run is about to put, or has put.
type Presence int

const (
	Absent  Presence = iota
	Foreign          // the object has other bytes than expected
	Right            // the object has the expected bytes
	Unread           // the object must be thawed before it can be read, so its bytes are unknown
)

// Examine compares the object under a key with the expected checksums. Size and CRC-32C can be forged, so it
// reads the object back for its SHA-256. The exception is a secret key, which could not be predicted before
// the object existed, in a store that holds the object's CRC-32C.
func (a *Objects) Examine(ctx context.Context, key string, sums store.Sums, secret bool) (Presence, store.PutResult, error) {
	o, err := a.Store.Stat(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Absent, store.PutResult{}, nil
	case err != nil:
		return Absent, store.PutResult{}, fmt.Errorf("checking %s: %w", key, err)
	}
	return a.ExamineObject(ctx, key, &o, sums, secret)
}

// ExamineObject is examine for an object that Stat has found.
func (a *Objects) ExamineObject(
	ctx context.Context, key string, o *store.Object, sums store.Sums, secret bool,
) (is Presence, _ store.PutResult, err error) {
	if o.Size != sums.Size || o.CRC32C != nil && *o.CRC32C != sums.CRC32C {
		return Foreign, store.PutResult{}, nil
	}
	is = Right
	if o.CRC32C == nil || !secret {
		is, err = a.CompareStored(ctx, key, sums, SoleMD5(o))
	}
	if err == nil && is == Right {
		err = a.Sync(ctx, key)
	}
	return is, store.PutResult{Existed: true, MD5: SoleMD5(o)}, err
}

// SoleMD5 returns the MD5 of an object if it is the provider's only checksum. The client that creates the
// object sets it, so it may be wrong.
func SoleMD5(o *store.Object) string {
	if o.CRC32C != nil {
		return ""
	}
	return o.MD5
}

// Sync makes an object durable that another run created, since that run may have ended before it did so.
func (a *Objects) Sync(ctx context.Context, key string) error {
	s, ok := a.Store.(store.Syncer)
	if !ok {
		return nil
	}
	if err := s.Sync(ctx, key); err != nil {
		return fmt.Errorf("making %s durable: %w", key, err)
	}
	return nil
}

// CompareStored reads an object back and compares its SHA-256 and, unless md5 is empty, the provider's MD5.
func (a *Objects) CompareStored(ctx context.Context, key string, sums store.Sums, md5 string) (Presence, error) {
	return a.ReadAgain(ctx, key, func() error {
		s := NewStoredSummer(md5)
		body := a.ReadRange(ctx, key, 0, sums.Size)
		defer body.Close()
		if _, err := bufcopy.All(s, body); err != nil {
			return err
		}
		if got := s.Sums(); got.SHA256 != sums.SHA256 {
			return fmt.Errorf("%w: its bytes hash to %s, not to %s", values.ErrDamaged, got.SHA256, sums.SHA256)
		}
		return s.Check()
	})
}

// storedSummer computes the checksums of an object that is read back.
type storedSummer struct {
	*digest.Hasher
	want string // the provider's MD5; empty disables its comparison
}

func NewStoredSummer(want string) *storedSummer {
	if want == "" {
		return &storedSummer{digest.New(), want}
	}
	return &storedSummer{digest.NewMD5(), want}
}

// Check compares the MD5, since a manifest must not record a wrong one.
func (s *storedSummer) Check() error {
	if got := hex.EncodeToString(s.MD5()); got != s.want {
		return fmt.Errorf("%w: its bytes have the MD5 %s, and the provider reports %s", values.ErrDamaged, got, s.want)
	}
	return nil
}

// ReadAgain reads an object by calling read, which returns ErrDamaged for unexpected bytes. After ErrDamaged
// it reads once more before it reports the object as foreign, since the transfer may have damaged the bytes.
func (a *Objects) ReadAgain(ctx context.Context, key string, read func() error) (Presence, error) {
	for attempt, damaged := 0, false; ; attempt++ {
		err := read()
		switch {
		case err == nil:
			return Right, nil
		case ctx.Err() != nil:
			return Absent, context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist):
			return Absent, nil
		case errors.Is(err, values.ErrDamaged) && (damaged || errors.Is(err, ErrTooLarge)):
			return Foreign, nil
		case errors.As(err, new(*OpenError)), attempt == FetchAttempts-1:
			return Absent, fmt.Errorf("reading back %s: %w", key, err)
		}
		damaged = errors.Is(err, values.ErrDamaged)
		if err := Pause(ctx, attempt); err != nil {
			return Absent, err
		}
	}
}
