package archiver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// CheckGuarantees checks before the first snapshot that the store gives the guarantees that archives rely on. It uses
// archive.json: id is its content, and made reports whether this run created it. Package storecheck tests more.
func CheckGuarantees(ctx context.Context, a *repo.Repo, id []byte, made bool) error {
	var err error
	if made {
		err = checkRetention(ctx, a)
	} else if err = a.Confirm(ctx, id); err == nil { // else the put below would begin this archive at another place
		err = checkChecksum(ctx, a)
	}
	if err != nil {
		return err
	}
	if err := checkCreateOnly(ctx, a, id); err != nil {
		return err
	}
	return checkUnproven(ctx, a)
}

// checkUnproven runs all trials of package storecheck in a store that no adapter was tested for. A trial that could
// not be completed stops the first snapshot too.
func checkUnproven(ctx context.Context, a *repo.Repo) error {
	if _, ok := a.Store.(store.Unproven); !ok {
		return nil
	}
	var faults, broken []string
	err := storecheck.Probe(ctx, a.Store, func(f storecheck.Finding) {
		text := f.Probe + ": " + f.Detail
		switch {
		case f.Result != storecheck.Failed:
		case f.Transient:
			broken = append(broken, text)
		default:
			faults = append(faults, text)
		}
	})
	switch {
	case err != nil:
		return fmt.Errorf("testing the store before the first snapshot: %w", err)
	case len(faults) > 0:
		return weak("%s", strings.Join(faults, "; "))
	case len(broken) > 0:
		return fmt.Errorf("testing the store before the first snapshot: %s: %w", strings.Join(broken, "; "), store.ErrTransient)
	}
	return nil
}

// checkCreateOnly puts archive.json again. If the store overwrites it, nothing is lost, since the bytes are the same.
func checkCreateOnly(ctx context.Context, a *repo.Repo, id []byte) error {
	if store.Waives(a.Store, store.CreateOnly) {
		return nil
	}
	again, err := a.PutBytes(ctx, manifest.ArchiveKey, id)
	if errors.Is(err, store.ErrExists) {
		return repo.ErrRaced
	}
	if err == nil && !again.Existed {
		err = weak("it overwrote %s, which existed already", manifest.ArchiveKey)
	}
	return err
}

// checkChecksum checks that the service reports a checksum of the archive.json that an earlier run has put. A service
// that reports none may not have checked the upload, which made that run fail. Or it checks the MD5 of a request and
// keeps none, and the earlier run failed for another reason. A Put with a wrong checksum shows which.
func checkChecksum(ctx context.Context, a *repo.Repo) error {
	service, ok := a.Store.(store.FaultProbe)
	if !ok || store.Waives(a.Store, store.Checksums) {
		return nil
	}
	o, err := a.Store.Stat(ctx, manifest.ArchiveKey)
	if err != nil {
		return fmt.Errorf("reading the attributes of %s: %w", manifest.ArchiveKey, err)
	}
	if o.CRC32C != nil || o.MD5 != "" {
		return nil
	}
	key := store.ProbePrefix + strings.ToLower(rand.Text()[:12]) + "/" + store.ProbeWrong
	content := []byte("strongroom tests here whether a checksum is compared\n")
	switch err := service.PutWithWrongChecksum(ctx, key, content); {
	case errors.Is(err, store.ErrMismatch):
		return nil
	case err != nil:
		return fmt.Errorf("testing whether a wrong checksum is refused: %w", err)
	}
	err = weak("it keeps no checksum of %s, and accepts an object with a wrong one", manifest.ArchiveKey)
	if left := a.Store.Delete(ctx, store.AnyVersion(key)); left != nil {
		err = fmt.Errorf("%w; the test's object is left: %w", err, left)
	}
	return err
}

// checkRetention checks that archive.json, which was put with a lock, is locked.
func checkRetention(ctx context.Context, a *repo.Repo) error {
	l, ok := a.Store.(store.RetentionStore)
	if !ok {
		return nil
	}
	if _, locks := l.RenewLock(); !locks {
		return nil
	}
	locked, err := l.Locked(ctx, manifest.ArchiveKey)
	if err != nil {
		return fmt.Errorf("reading the lock of %s: %w", manifest.ArchiveKey, err)
	}
	if !locked {
		return weak("it stored %s and did not lock it", manifest.ArchiveKey)
	}
	return nil
}

// checkOrder checks before the first commit that the store lists what this run has put in the order of the keys. The
// first page shows it. Later runs list the archive before.
func (r *backupRun) checkOrder(ctx context.Context) error {
	if r.src.Head.Base != nil {
		return nil
	}
	for _, err := range r.repo.Store.List(ctx, manifest.DataPrefix, "", "") {
		if err != nil {
			return fmt.Errorf("checking the order of listings: %w", err)
		}
		break
	}
	return nil
}

func weak(format string, a ...any) error {
	return fmt.Errorf("%w: %s", store.ErrWeakStore, fmt.Sprintf(format, a...))
}
