package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// ErrLostID reports that archive.json is missing beside manifests. It is created before any manifest and never deleted,
// so its removal suggests that more may be gone. It wraps ErrDamaged.
var ErrLostID = fmt.Errorf(
	"%s is missing beside the manifests, so more of the archive may be gone; is this the right disk? (%w)",
	manifest.ArchiveKey, ErrDamaged,
)

// checkLostID returns ErrLostID if archive.json is missing beside manifests or a ledger.
func (h *head) checkLostID() error {
	if h.idLost && h.exists() && !h.begins {
		return ErrLostID
	}
	return nil
}

// judgeRemains decides whether a missing archive.json beside manifests or a ledger means that an archive has lost it.
// It returns ErrLostID if anything there could be the rest of an archive: a manifest that can be read or that a later
// version wrote, or an object with the name of content or of a verification record. All else is an outsider's: no
// snapshot could ever be restored from it, and it must not keep an archive from beginning.
func (a *Archive) judgeRemains(ctx context.Context, h *head) error {
	if h.checkLostID() == nil {
		return nil
	}
	found, err := a.remainsHere(ctx, h)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%w; what is left includes %s; if no archive ever began here, and an outsider created these "+
			"objects, move them away, or choose another address", ErrLostID, strings.Join(found, ", "))
	}
	h.begins = true
	h.warn("there are objects under the keys of manifests or of a ledger, and nothing else of an archive: " +
		"they count as an outsider's, and an archive begins here")
	if h.record != nil { // it names no archive that could be here, and hides no manifest
		h.unread = &unreadRecord{h.ledger, fmt.Errorf("it is of archive %s, and nothing else here is", h.record.Archive)}
		h.record, h.ledger = nil, manifest.RecordRef{}
		h.greatest, err = a.greatestManifest(ctx, h)
	}
	return err
}

// remainsHere returns keys of objects that are an archive's by their name and, if it is a manifest, by their content:
// at most one of each kind.
func (a *Archive) remainsHere(ctx context.Context, h *head) (found []string, err error) {
	if h.base != nil {
		found = append(found, manifest.ManifestKey(h.base.ref.Sequence))
	}
	if h.newer != "" {
		found = append(found, h.newer)
	}
	for _, prefix := range []string{manifest.BundlesPrefix, manifest.DataPrefix, manifest.PagesPrefix, manifest.ProofsPrefix} {
		left := maxSearchedObjects
		for o, err := range a.store.List(ctx, prefix, "", "") {
			if err != nil {
				return nil, err
			}
			_, isObject := manifest.ParseObjectKey(o.Key)
			_, _, isProof := manifest.ParseProofKey(o.Key)
			if left--; isObject || isProof || left == 0 {
				found = append(found, o.Key)
				break
			}
		}
	}
	return found, nil
}

// restateID rebuilds archive.json from the newest readable manifest, for an archive that has lost its own.
func (h *head) restateID() ([]byte, error) {
	if h.base == nil {
		return nil, fmt.Errorf("%s is missing or cannot be read, and so are all manifests: %w", manifest.ArchiveKey, ErrDamaged)
	}
	m := h.base.m
	return (&manifest.Archive{Format: m.Format, ID: m.Archive, Created: m.Created, Layout: m.Layout}).Encode()
}

// CheckID returns ErrLostID if archive.json is missing. It is for an archive in which snapshots were found.
func (a *Archive) CheckID(ctx context.Context) error {
	defer a.hold()()
	_, err := a.store.Stat(ctx, manifest.ArchiveKey)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrLostID
	}
	if err != nil {
		return fmt.Errorf("reading the attributes of %s: %w", manifest.ArchiveKey, err)
	}
	return nil
}

// errOtherID: archive.json has other bytes than before.
var errOtherID = errors.New("it has other content than when the operation began")

// confirm reads archive.json again right before a commit, which makes the written objects valid. raw is its content
// when the operation began; nil if it could not be read then either. Other content, or none, means that the address
// names another place by now, or that the archive was deleted.
func (a *Archive) confirm(ctx context.Context, raw []byte) error {
	if raw == nil {
		return nil
	}
	_, err := a.get(ctx, manifest.ArchiveKey, manifest.SummaryBytes, func(b []byte) error {
		if !bytes.Equal(b, raw) {
			return errOtherID
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s existed when the operation began, and is missing now; is its disk still mounted? "+
			"Nothing was committed", store.ErrGone, manifest.ArchiveKey)
	case errors.Is(err, errOtherID), errors.Is(err, errTooLarge):
		return fmt.Errorf("%s: %w; is another disk mounted in its place? Nothing was committed: %w",
			manifest.ArchiveKey, err, ErrDamaged)
	case err != nil:
		return fmt.Errorf("checking the archive again before the commit: %w", err)
	}
	return nil
}

// rememberSeen records on this host that an archive exists at its place and, with newest, its newest manifest. A later
// run then detects their loss. It replaces only an older manifest. Without a writable state directory, the operation
// continues.
func (a *Archive) rememberSeen(ctx context.Context, id string, newest *manifest.Ref) {
	if a.state == nil || id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	err := a.rememberPlace(ctx, id)
	switch {
	case err != nil:
	case newest != nil:
		err = a.rememberNewest(ctx, id, *newest)
	default: // an operator must learn that the next backup will fail, from whatever is run first
		_, _, err = a.state.LoadPin(id)
	}
	switch {
	case errors.Is(err, localstate.ErrUnread), errors.Is(err, disk.ErrHangs):
		a.warnUncompared(err)
	case err != nil:
		a.log.Debug("the state of the archive could not be recorded on this host", "error", err)
	}
}

// rememberPlace records that an archive exists at its place. It makes archive.json durable first: otherwise a power
// loss could remove it, and a backup would then refuse to begin an archive there again.
func (a *Archive) rememberPlace(ctx context.Context, id string) error {
	if was, err := a.state.AtPlace(); errors.Is(err, localstate.ErrUnread) || err == nil && was == id {
		return err
	}
	if a.state.Place == "" {
		return nil
	}
	if err := a.syncThere(ctx, manifest.ArchiveKey); err != nil && !errors.Is(err, errGone) { // missing beside manifests
		return err
	}
	return a.state.SavePlace(id)
}

func (a *Archive) rememberNewest(ctx context.Context, id string, newest manifest.Ref) error {
	was, ok, err := a.state.LoadPin(id)
	if err != nil || ok && was.Newest.Sequence >= newest.Sequence {
		return err
	}
	// A manifest that is recorded and then lost in a power failure would be reported as missing forever.
	if err := a.makeDurable(ctx, newest.Sequence, 0); err != nil {
		return err
	}
	a.mu.Lock()
	s := localstate.Pin{Newest: newest, Archive: a.idSum, Anomalies: was.Anomalies, Whole: was.Whole}
	a.mu.Unlock()
	if ok && !was.Archive.IsZero() {
		s.Archive = was.Archive // another archive.json stays reported until a repair or an operator ends that
	}
	return a.state.SavePin(id, s)
}

// holds returns an error unless the archive of a manifest that was read before still exists.
func (a *Archive) holds(ctx context.Context, m *manifest.Manifest) error {
	var h head
	err := a.readID(ctx, &h)
	if errors.Is(err, fs.ErrNotExist) { // archive.json alone may be lost
		_, err = a.store.Stat(ctx, manifest.ManifestKey(m.Sequence))
	}
	if errors.Is(err, fs.ErrNotExist) { // both may be lost while other objects remain
		err = a.remains(ctx, m)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a.nothing(ctx)
	case err != nil:
		return fmt.Errorf("checking that snapshot %d still exists: %w", m.Sequence, err)
	case h.id != nil && h.id.ID != m.Archive:
		return fmt.Errorf("%w: snapshot %d is of archive %s, and the address has archive %s now",
			store.ErrGone, m.Sequence, m.Archive, h.id.ID)
	}
	return nil
}

// remains returns fs.ErrNotExist if the archive of a manifest has neither a ledger nor manifests. The archive is then
// gone; otherwise it is damaged.
func (a *Archive) remains(ctx context.Context, m *manifest.Manifest) error {
	h, err := a.rereadLedger(ctx)
	switch {
	case errors.Is(err, ErrDamaged):
		return nil
	case err != nil:
		return err
	case h.record != nil && h.record.Archive != m.Archive:
		return fmt.Errorf("%w: snapshot %d is of archive %s, and the address has archive %s now",
			store.ErrGone, m.Sequence, m.Archive, h.record.Archive)
	case h.record != nil:
		return nil
	}
	if n, err := a.greatestManifest(ctx, h); err != nil || n > 0 {
		return err
	}
	return fs.ErrNotExist
}

// rememberHead records what a load has read.
func (a *Archive) rememberHead(ctx context.Context, h *head) {
	if h.id == nil {
		return
	}
	var newest *manifest.Ref
	if h.base != nil && *h.parent == h.base.ref {
		newest = h.parent
	}
	a.rememberSeen(ctx, h.id.ID, newest)
}
