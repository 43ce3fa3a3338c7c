package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// CheckLostID returns ErrLostID if archive.json is missing beside manifests or a ledger.
func (h *Head) CheckLostID() error {
	if h.IDLost && h.Exists() && !h.begins {
		return values.ErrLostID
	}
	return nil
}

// JudgeRemains decides whether a missing archive.json beside manifests or a ledger means that an archive has lost it.
// It returns ErrLostID if anything there could be the rest of an archive: a manifest that can be read or that a later
// version wrote, or an object with the name of content or of a verification record. All else is an outsider's: no
// snapshot could ever be restored from it, and it must not keep an archive from beginning.
func (a *Repo) JudgeRemains(ctx context.Context, h *Head) error {
	if h.CheckLostID() == nil {
		return nil
	}
	found, err := a.remainsHere(ctx, h)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%w; what is left includes %s; if no archive ever began here, and an outsider created these "+
			"objects, move them away, or choose another address", values.ErrLostID, strings.Join(found, ", "))
	}
	h.begins = true
	h.Warn("there are objects under the keys of manifests or of a ledger, and nothing else of an archive: " +
		"they count as an outsider's, and an archive begins here")
	if h.Record != nil { // it names no archive that could be here, and hides no manifest
		h.Unread = &UnreadRecord{h.Ledger, fmt.Errorf("it is of archive %s, and nothing else here is", h.Record.Archive)}
		h.Record, h.Ledger = nil, manifest.RecordRef{}
		h.Greatest, err = a.GreatestManifest(ctx, h)
	}
	return err
}

// remainsHere returns keys of objects that are an archive's by their name and, if it is a manifest, by their content:
// at most one of each kind.
func (a *Repo) remainsHere(ctx context.Context, h *Head) (found []string, err error) {
	if h.Base != nil {
		found = append(found, manifest.ManifestKey(h.Base.Ref.Sequence))
	}
	if h.newer != "" {
		found = append(found, h.newer)
	}
	for _, prefix := range []string{manifest.BundlesPrefix, manifest.DataPrefix, manifest.PagesPrefix, manifest.ProofsPrefix} {
		left := nested.MaxSearchedObjects
		for o, err := range a.Store.List(ctx, prefix, "", "") {
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

// RestateID rebuilds archive.json from the newest readable manifest, for an archive that has lost its own.
func (h *Head) RestateID() ([]byte, error) {
	if h.Base == nil {
		return nil, fmt.Errorf("%s is missing or cannot be read, and so are all manifests: %w", manifest.ArchiveKey, values.ErrDamaged)
	}
	m := h.Base.Manifest
	return (&manifest.Archive{Format: m.Format, ID: m.Archive, Created: m.Created, Layout: m.Layout}).Encode()
}

// CheckID implements the method of archive.Archive.
func (a *Repo) CheckID(ctx context.Context) error {
	defer a.Begin()()
	_, err := a.Store.Stat(ctx, manifest.ArchiveKey)
	if errors.Is(err, fs.ErrNotExist) {
		return values.ErrLostID
	}
	if err != nil {
		return fmt.Errorf("reading the attributes of %s: %w", manifest.ArchiveKey, err)
	}
	return nil
}

// ErrOtherID means that archive.json has other bytes than before.
var ErrOtherID = errors.New("it has other content than when the operation began")

// Confirm reads archive.json again right before a commit, which makes the written objects valid. raw is its content
// when the operation began; nil if it could not be read then either. Other content, or none, means that the address
// names another place by now, or that the archive was deleted.
func (a *Repo) Confirm(ctx context.Context, raw []byte) error {
	if raw == nil {
		return nil
	}
	_, err := a.Get(ctx, manifest.ArchiveKey, manifest.SummaryBytes, func(b []byte) error {
		if !bytes.Equal(b, raw) {
			return ErrOtherID
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s existed when the operation began, and is missing now; is its disk still mounted? "+
			"Nothing was committed", store.ErrGone, manifest.ArchiveKey)
	case errors.Is(err, ErrOtherID), errors.Is(err, objects.ErrTooLarge):
		return fmt.Errorf("%s: %w; is another disk mounted in its place? Nothing was committed: %w",
			manifest.ArchiveKey, err, values.ErrDamaged)
	case err != nil:
		return fmt.Errorf("checking the archive again before the commit: %w", err)
	}
	return nil
}

// RememberSeen records on this host that an archive exists at its place and, with newest, its newest manifest. A later
// run then detects their loss. It replaces only an older manifest. Without a writable state directory, the operation
// continues.
func (a *Repo) RememberSeen(ctx context.Context, id string, newest *manifest.Ref) {
	if a.State == nil || id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, objects.SyncPatience)
	defer cancel()
	err := a.rememberPlace(ctx, id)
	switch {
	case err != nil:
	case newest != nil:
		err = a.rememberNewest(ctx, id, *newest)
	default: // an operator must learn that the next backup will fail, from whatever is run first
		_, _, err = a.State.LoadPin(id)
	}
	switch {
	case errors.Is(err, localstate.ErrUnread), errors.Is(err, disk.ErrHangs):
		a.warnUncompared(err)
	case err != nil:
		a.Log.Debug("the state of the archive could not be recorded on this host", "error", err)
	}
}

// rememberPlace records that an archive exists at its place. It makes archive.json durable first: otherwise a power
// loss could remove it, and a backup would then refuse to begin an archive there again.
func (a *Repo) rememberPlace(ctx context.Context, id string) error {
	if was, err := a.State.AtPlace(); errors.Is(err, localstate.ErrUnread) || err == nil && was == id {
		return err
	}
	if a.State.Place == "" {
		return nil
	}
	if err := a.SyncThere(ctx, manifest.ArchiveKey); err != nil && !errors.Is(err, objects.ErrGone) { // missing beside manifests
		return err
	}
	return a.State.SavePlace(id)
}

func (a *Repo) rememberNewest(ctx context.Context, id string, newest manifest.Ref) error {
	was, ok, err := a.State.LoadPin(id)
	if err != nil || ok && was.Newest.Sequence >= newest.Sequence {
		return err
	}
	// A manifest that is recorded and then lost in a power failure would be reported as missing forever.
	if err := a.MakeDurable(ctx, newest.Sequence, 0); err != nil {
		return err
	}
	a.mu.Lock()
	s := localstate.Pin{Newest: newest, Archive: a.idSum, Anomalies: was.Anomalies, Whole: was.Whole}
	a.mu.Unlock()
	if ok && !was.Archive.IsZero() {
		s.Archive = was.Archive // another archive.json stays reported until a repair or an operator ends that
	}
	return a.State.SavePin(id, s)
}

// Holds returns an error unless the archive of a manifest that was read before still exists.
func (a *Repo) Holds(ctx context.Context, m *manifest.Manifest) error {
	var h Head
	err := a.readID(ctx, &h)
	if errors.Is(err, fs.ErrNotExist) { // archive.json alone may be lost
		_, err = a.Store.Stat(ctx, manifest.ManifestKey(m.Sequence))
	}
	if errors.Is(err, fs.ErrNotExist) { // both may be lost while other objects remain
		err = a.Remains(ctx, m)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a.Nothing(ctx)
	case err != nil:
		return fmt.Errorf("checking that snapshot %d still exists: %w", m.Sequence, err)
	case h.ID != nil && h.ID.ID != m.Archive:
		return fmt.Errorf("%w: snapshot %d is of archive %s, and the address has archive %s now",
			store.ErrGone, m.Sequence, m.Archive, h.ID.ID)
	}
	return nil
}

// Remains returns fs.ErrNotExist if the archive of a manifest has neither a ledger nor manifests. The archive is then
// gone; otherwise it is damaged.
func (a *Repo) Remains(ctx context.Context, m *manifest.Manifest) error {
	h, err := a.RereadLedger(ctx)
	switch {
	case errors.Is(err, values.ErrDamaged):
		return nil
	case err != nil:
		return err
	case h.Record != nil && h.Record.Archive != m.Archive:
		return fmt.Errorf("%w: snapshot %d is of archive %s, and the address has archive %s now",
			store.ErrGone, m.Sequence, m.Archive, h.Record.Archive)
	case h.Record != nil:
		return nil
	}
	if n, err := a.GreatestManifest(ctx, h); err != nil || n > 0 {
		return err
	}
	return fs.ErrNotExist
}

// RememberHead records what a load has read.
func (a *Repo) RememberHead(ctx context.Context, h *Head) {
	if h.ID == nil {
		return
	}
	var newest *manifest.Ref
	if h.Base != nil && *h.Parent == h.Base.Ref {
		newest = h.Parent
	}
	a.RememberSeen(ctx, h.ID.ID, newest)
}

// Nothing returns the error of an operation on an archive that does not exist: ErrGone if this host has read it before,
// otherwise ErrNoArchive. That one states what is there: archives below the address, an archive around it, or the
// remains of an archive, which are damage. A writer makes archive.json before every other object.
func (a *Repo) Nothing(ctx context.Context) error {
	if err := a.State.CheckPlace(); errors.Is(err, store.ErrGone) || errors.Is(err, localstate.ErrUnread) {
		return err
	}
	below, top, _, err := nested.FindBelow(ctx, a.Objects, 1)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		a.Log.Debug("the address could not be searched for archives", "error", err)
		return values.ErrNoArchive
	}
	for _, key := range top {
		if key != store.ProbePrefix && nested.IsArchiveKey(key) && nested.RemainsAt(ctx, a.Objects, key) {
			// A first backup may have begun since the caller's listing: it makes archive.json before its objects.
			if _, err := a.Store.Stat(ctx, manifest.ArchiveKey); !errors.Is(err, fs.ErrNotExist) {
				return values.ErrNoArchive
			}
			return fmt.Errorf("%w: there are objects of one in %s, and neither %s nor a manifest; "+
				"is this the right disk? (%w)", values.ErrNoArchive, key, manifest.ArchiveKey, values.ErrDamaged)
		}
	}
	if len(below) > 0 {
		return fmt.Errorf("%w: %w, such as at the prefix %s", values.ErrNoArchive, values.ErrHoldsArchives, below[0])
	}
	if around, err := nested.Enclosing(ctx, a.Objects); err == nil && around != "" {
		return fmt.Errorf("%w: %w, at %s", values.ErrNoArchive, values.ErrWithin, around)
	}
	return values.ErrNoArchive
}
