package archiver

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// describe builds the manifest of the snapshot, with all its entries in Files.
func (r *backupRun) describe(id string, plan *values.Plan, uploaded []manifest.File) *manifest.Manifest {
	m := &manifest.Manifest{Summary: manifest.Summary{
		Format:   manifest.Format,
		Archive:  id,
		Sequence: r.next,
		Created:  r.src.Capture.At.UTC(),
		Parent:   r.parentOfNext(),
		Node:     r.o.Node,
		Tool:     r.o.Tool,
		Layout:   r.src.Layout.Name(),
	}}
	m.Files = uploaded
	if len(plan.Keep) > 0 {
		m.Files = slices.Grow(m.Files, len(plan.Keep))
		for _, f := range plan.Keep {
			m.Files = append(m.Files, *f)
		}
	}
	slices.SortFunc(m.Files, func(a, b manifest.File) int { return strings.Compare(a.Name, b.Name) })
	scan.CheckChain(r.src.Layout, m.Files)
	for i := range m.Files {
		f := &m.Files[i]
		m.Counts.Add(f)
		if f.Snapshot == r.next {
			m.Counts.Added++
		}
		if _, _, ordered := r.src.Layout.Position(f.Name); ordered &&
			(m.ConsistentThrough == nil || r.src.Layout.Compare(m.ConsistentThrough.Name, f.Name) < 0) {
			m.ConsistentThrough = &manifest.Point{Name: f.Name, Size: f.Size}
		}
	}
	if r.partial != nil {
		r.partial.addUnread(&m.Counts)
	}
	r.src.Res.Damaged = scan.Damaged(m.Files)
	slices.SortFunc(r.src.Res.Changed, func(a, b values.Changed) int { return strings.Compare(a.Name, b.Name) })
	m.Recipients = r.recipientsOf(m.Files)
	m.Counts.AddedBytes = r.addedSize
	m.Counts.Changed = int64(len(r.src.Res.Changed))
	m.Counts.Removed = int64(len(plan.Removed))
	m.Accepted, m.LeftOut = r.src.Accepted, r.src.LeftOut
	if r.o.Lost == nil { // a repair stores an old state again, and is no second writer
		m.Writer = r.src.Writer
	}
	m.ForkedFrom, m.RewoundFrom = r.src.ForkedFrom, r.src.RewoundFrom
	return m
}

// sameAs reports whether the snapshot would equal the parent, now that all files were read that seemed new. Examples
// are a tail without a whole new entry, and a file that was only touched.
func (r *backupRun) sameAs(m *manifest.Manifest) bool {
	parent := r.src.Parent()
	if parent == nil || r.o.Force || r.renamed() || r.needsLostPage() || r.src.Head.Parent == nil || *r.src.Head.Parent != r.src.Head.Base.Ref || len(parent.Files) != len(m.Files) {
		return false
	}
	for i := range m.Files {
		a, b := parent.Files[i], m.Files[i]
		if b.State == manifest.Tail {
			b.Modified = a.Modified
		}
		if !a.Equal(&b) {
			return false
		}
	}
	return true
}

// storePages moves the entries of a large snapshot into pages, and returns all pages with their entries. It reuses the
// parent's pages in which nothing has changed.
func (r *backupRun) storePages(ctx context.Context, m *manifest.Manifest) ([]manifest.Page, error) {
	var old []manifest.Page
	if r.src.Head.Base != nil && r.src.CanReuseBase {
		for _, p := range r.src.Head.Base.Pages {
			if !r.src.KnownBad.Has(p.Ref.Object) {
				old = append(old, p)
			}
		}
	}
	pieces, unread := manifest.CutSomePages(m.Files, old)
	for unread >= 0 {
		if err := r.addPage(ctx, m, unread); err != nil {
			return nil, err
		}
		pieces, unread = manifest.CutSomePages(m.Files, r.src.Head.Base.Pages)
	}
	if pieces == nil {
		return nil, nil
	}
	pages := make([]manifest.Page, len(pieces))
	return pages, objects.EachIndex(ctx, r.repo.Transfers, len(pieces), func(ctx context.Context, i int) (err error) {
		p := &pieces[i]
		pages[i].Files = p.Files
		if p.Kept != nil {
			pages[i].Ref = *p.Kept
			return nil
		}
		pages[i].Ref, err = r.storePage(ctx, p.Files)
		return err
	})
}

func (r *backupRun) storePage(ctx context.Context, files []manifest.File) (manifest.PageRef, error) {
	ref, content, err := r.repo.Codec.Encode(files, r.next)
	if err != nil {
		return ref, err
	}
	p := placement{
		key: ref.Object, body: bytes.NewReader(content),
		sums: store.Sums{Size: ref.Stored.Size, SHA256: ref.Stored.SHA256, CRC32C: ref.Stored.CRC32C},
		same: func(ctx context.Context, key string) (objects.Presence, error) { return r.adoptPage(ctx, &ref, key) },
	}
	if r.src.Head.HasPages { // requesting a missing object is cheap, and pages are few
		is, err := r.orUnread(r.adoptPage(ctx, &ref, p.key))
		if err != nil || is == objects.Right {
			return ref, err
		}
		p.taken = r.noteTaken(p.key, is)
	}
	at, err := r.chooseKey(ctx, &p)
	if err != nil {
		return ref, fmt.Errorf("a page: %w", err)
	}
	if ref.Object = at.Key; at.Stored.Existed {
		r.notePageExists()
	}
	return ref, nil
}

// adoptPage reads back the page under a key. If the page holds the same entries, perhaps compressed by another version,
// adoptPage completes the reference.
func (r *backupRun) adoptPage(ctx context.Context, ref *manifest.PageRef, key string) (objects.Presence, error) {
	there := *ref
	there.Object = key
	is, err := r.repo.ReadAgain(ctx, key, func() error {
		b, err := r.repo.GetOnce(ctx, key, manifest.MaxPageBytes)
		if err != nil {
			return err
		}
		there.Stored = manifest.StoredSumsOf(b)
		if _, err = r.repo.Codec.Decode(b, &there, r.next); err != nil {
			err = fmt.Errorf("%w: %w", values.ErrDamaged, err)
		}
		return err
	})
	if err == nil && is == objects.Right {
		err = r.repo.Sync(ctx, key)
	}
	if err == nil && is == objects.Right {
		*ref = there
		r.notePageExists()
	}
	return is, err
}

// notePageExists records that a page of the snapshot existed before this run put it.
func (r *backupRun) notePageExists() {
	r.src.Mu.Lock()
	defer r.src.Mu.Unlock()
	r.pageExisted = true
}

// checkOtherSnapshots reports whether the snapshot may name objects that another run stored under its number, with a
// lock of their own.
func (r *backupRun) checkOtherSnapshots() bool {
	r.src.Mu.Lock()
	defer r.src.Mu.Unlock()
	return r.pageExisted || r.src.Res.Adopted > 0
}

// format returns the version of the format that the manifest needs. It is never lower than the base's.
func (r *backupRun) format(m *manifest.Manifest, pages []manifest.Page) string {
	if r.src.Head.Base != nil && r.src.Head.Base.Manifest.Format != manifest.Format {
		return r.src.Head.Base.Manifest.Format
	}
	for i := range pages {
		if pages[i].Ref.HasNonce() {
			return manifest.Format2
		}
	}
	for i := range m.Files {
		if m.Files[i].HasNonce() {
			return manifest.Format2
		}
	}
	return manifest.Format
}

// commit writes the manifest, which makes the snapshot exist.
func (r *backupRun) commit(ctx context.Context, id string, m *manifest.Manifest, pages []manifest.Page) error {
	m.Format = r.format(m, pages)
	stored := *m
	if pages != nil {
		stored.Files = nil
		for i := range pages {
			stored.Pages = append(stored.Pages, pages[i].Ref)
		}
		check := m.CheckFiles
		if r.partial != nil { // the stamps show the others; planPartial checked the names
			check = m.CheckSome
		}
		if err := check(m.Files); err != nil {
			return fmt.Errorf("describing the snapshot: %w", err)
		}
	}
	stored.DurationMS = max(0, time.Since(r.src.Capture.At).Milliseconds())
	if err := r.checkOrder(ctx); err != nil {
		return err
	}
	if err := r.lockReused(ctx, m, pages); err != nil {
		return err
	}
	if err := r.holdBase(ctx); err != nil {
		return err
	}
	b, err := r.encode(id, &stored)
	if err != nil {
		return err
	}
	if err := r.repo.Confirm(ctx, r.rawID); err != nil {
		return err
	}
	// The commit point. A crash before this Put leaves objects under the number r.next that no manifest names. The next
	// run aims at the same number and adopts those that it can check. A crash after it leaves a complete snapshot.
	if err := r.repo.Create(ctx, "committing", manifest.ManifestKey(r.next), b); err != nil {
		return err
	}
	ref := manifest.Ref{Sequence: r.next, SHA256: manifest.Sum(b)}
	if err := r.stillValid(ctx, ref); err != nil {
		return err
	}
	m.Pages, m.DurationMS, m.Writer = stored.Pages, stored.DurationMS, stored.Writer
	r.noteWhole()
	r.repo.SavePin(id, ref, r.src.Head.Anomalies)
	r.keepForNext(id, &repo.Snapshot{Ref: ref, Manifest: m, Pages: pages}, r.newStamps(id, ref, m.Files))
	r.repo.Sealed.Drop(id)
	r.src.Res.Committed, r.src.Res.Snapshot = true, new(m.Summary)
	r.holdLate(ctx)
	r.sweep(ctx)
	return nil
}

// stillValid returns ErrRaced if a prune has dropped the snapshot that is about to be reported, whether it is new or
// unchanged (format.md, rule 4).
func (r *backupRun) stillValid(ctx context.Context, ref manifest.Ref) error {
	h, err := r.repo.LedgerNow(ctx, r.src.Head)
	if err != nil {
		return err
	}
	if !h.Record.Valid(ref.Sequence, ref.SHA256) {
		return fmt.Errorf("a concurrent prune dropped manifest %d: %w", ref.Sequence, repo.ErrRaced)
	}
	if h.Unread == nil && !h.Supports(r.parentOfNext(), ref.Sequence) {
		return fmt.Errorf("snapshot %d counts for nothing, since no record has the gap before it: %w",
			ref.Sequence, values.ErrDamaged)
	}
	return nil
}

// needsLostPage reports whether a page of the base is known to be missing or damaged.
func (r *backupRun) needsLostPage() bool {
	return r.src.KnownBad.Any() && r.src.Head.Base != nil && slices.ContainsFunc(r.src.Head.Base.Pages, func(p manifest.Page) bool {
		return r.src.KnownBad.HasPlace(p.Ref.Object, p.Ref.Object)
	})
}
