package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// checkGuarantees has the store show, before the first snapshot, that it does what archives rely on,
// with archive.json: id are its bytes, and made says whether this run has made it. strongroom
// check looks at more.
func (r *backupRun) checkGuarantees(ctx context.Context, id []byte, made bool) error {
	var err error
	if made {
		err = r.checkRetention(ctx)
	} else if err = r.confirm(ctx, id); err == nil { // else the put below would begin this archive in another place
		err = r.checkChecksum(ctx)
	}
	if err != nil {
		return err
	}
	return r.checkCreateOnly(ctx, id)
}

// checkCreateOnly puts what is there already. Should the store write over it, nothing is
// lost, for the bytes are the same.
func (r *backupRun) checkCreateOnly(ctx context.Context, id []byte) error {
	if store.Waives(r.store, store.CreateOnly) {
		return nil
	}
	again, err := r.putBytes(ctx, manifest.ArchiveKey, id)
	if errors.Is(err, store.ErrExists) {
		return errRaced
	}
	if err == nil && !again.Existed {
		err = weak("it wrote over %s, which was there already", manifest.ArchiveKey)
	}
	return err
}

// checkChecksum looks whether the service tells a checksum of what an earlier run has put.
// One that does not has not checked it, and made that run fail.
func (r *backupRun) checkChecksum(ctx context.Context) error {
	if _, ok := r.store.(store.FaultProbe); !ok || store.Waives(r.store, store.Checksums) {
		return nil
	}
	o, err := r.store.Stat(ctx, manifest.ArchiveKey)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", manifest.ArchiveKey, err)
	}
	if o.CRC32C == nil && o.MD5 == "" {
		return weak("it keeps no checksum of %s that it could have been checked with", manifest.ArchiveKey)
	}
	return nil
}

// checkRetention looks whether what was put with a lock has one.
func (r *backupRun) checkRetention(ctx context.Context) error {
	l, ok := r.store.(store.RetentionStore)
	if !ok {
		return nil
	}
	if _, locks := l.RenewLock(); !locks {
		return nil
	}
	locked, err := l.Locked(ctx, manifest.ArchiveKey)
	if err != nil {
		return fmt.Errorf("looking at the lock of %s: %w", manifest.ArchiveKey, err)
	}
	if !locked {
		return weak("it took %s and did not lock it", manifest.ArchiveKey)
	}
	return nil
}

func weak(format string, a ...any) error {
	return fmt.Errorf("%w: %s; strongroom check tells more", store.ErrWeakStore, fmt.Sprintf(format, a...))
}
