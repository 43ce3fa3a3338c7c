package findings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// MadeAgain reports whether the store shows that a named object was deleted and created again since, with the promised
// checksum. Only a repair or a copy does that: an attacker who can create objects cannot delete one. An object that was
// missing could be an attacker's, with a forged checksum, and is read back instead. Manifests have no checksum of a
// whole bundle.
func (a *Findings) MadeAgain(ctx context.Context, key string, n *naming, stored *manifest.StoredSums) (bool, error) {
	if n.absent || stored.Offset != nil {
		return false, nil
	}
	o, err := a.Store.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("checking %s: %w", key, err)
	}
	promised := o.CRC32C != nil && *o.CRC32C == stored.CRC32C || o.CRC32C == nil && o.MD5 != "" && o.MD5 == stored.MD5
	return promised && o.Size == stored.Size && o.Modified.After(n.at), nil
}

// Settle decides which parts of some files, and which pages, count as missing or damaged. What only an earlier record
// names, it reads back, and notes on this host what is intact.
func (a *Findings) Settle(ctx context.Context, l *DamageLog, files []manifest.File, pages []manifest.Page) (KnownBad, error) {
	s := &settling{
		findings: New(a.WithoutCache()), records: l, bad: l.LatestBad,
		intact: map[string]bool{}, lost: map[string]bool{}, read: map[string]string{},
	}
	s.findings.Undecrypted = &objects.Undecrypted{} // the hash of the stored bytes suffices
	var checks []func(context.Context) error
	for i := range pages {
		if n, named := l.Of(pages[i].Ref.Object); named {
			checks = append(checks, func(ctx context.Context) error { return s.page(ctx, &pages[i].Ref, &n) })
		}
	}
	for i := range files {
		f := &files[i]
		if slices.ContainsFunc(f.Parts, func(p manifest.Part) bool { _, named := l.Of(p.Object); return named }) {
			checks = append(checks, func(ctx context.Context) error { return s.file(ctx, f) })
		}
	}
	err := objects.EachIndex(ctx, a.Transfers, len(checks), func(ctx context.Context, i int) error { return checks[i](ctx) })
	a.NoteRead(l, s.read)
	if err != nil {
		return KnownBad{}, fmt.Errorf("reading back what a verify found damaged: %w", err)
	}
	s.bad.intact, s.bad.Lost = s.intact, s.lost
	return s.bad, nil
}

// settling is one call of Settle.
type settling struct {
	findings *Findings
	records  *DamageLog
	bad      KnownBad // what the latest record names

	mu     sync.Mutex
	intact map[string]bool   // places that are intact, whatever the latest record names
	lost   map[string]bool   // places that only an earlier record names, and that are not intact
	read   map[string]string // places that were read back and are intact, with the last record that names them
}

func (s *settling) put(places map[string]bool, place string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	places[place] = true
}

// file settles the named parts of a file.
func (s *settling) file(ctx context.Context, f *manifest.File) error {
	doubtful := map[string]string{}
	for i := range f.Parts {
		p := &f.Parts[i]
		n, named := s.records.Of(p.Object)
		if !named {
			continue
		}
		again, err := s.findings.MadeAgain(ctx, p.Object, &n, &p.Stored)
		if err != nil {
			s.findings.Log.Debug("the attributes of an object cannot be read, so its content is", "error", err)
		}
		switch {
		case again || s.records.HasRead(p, &n):
			s.put(s.intact, PlaceOf(p))
		case !s.bad.Has(p.Object):
			doubtful[PlaceOf(p)] = n.Record
		}
	}
	if len(doubtful) == 0 {
		return nil
	}
	release, err := s.findings.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	return s.settled(ctx, s.findings.FetchFile(ctx, nil, f, objects.Discard{}), doubtful)
}

// page settles a page. Its stored bytes decide, and not the page as it was read for the last snapshot.
func (s *settling) page(ctx context.Context, ref *manifest.PageRef, n *naming) error {
	if s.records.read[ref.Object] == n.Record {
		s.put(s.intact, ref.Object)
		return nil
	}
	if s.bad.Has(ref.Object) {
		return nil
	}
	is, err := s.findings.CompareStored(ctx, ref.Object, store.Sums{Size: ref.Stored.Size, SHA256: ref.Stored.SHA256}, "")
	if err == nil && is != objects.Right {
		err = values.ErrDamaged
	}
	return s.settled(ctx, err, map[string]string{ref.Object: n.Record})
}

// settled keeps the result of reading some places back. What cannot be read counts as lost: it stops no backup.
func (s *settling) settled(ctx context.Context, err error, places map[string]string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		maps.Copy(s.read, places)
		return nil
	}
	s.findings.Log.Warn("stored content that a verify found damaged cannot be read back intact", "error", err)
	for place := range places {
		s.lost[place] = true
	}
	return nil
}

// maxUnsettled bounds how many objects countUnsettled checks.
const maxUnsettled = 1000

// countUnsettled counts the objects that only an earlier record names, that exist as they were then, and that this host
// has not read back. Without a local state the host could not note that, so it counts none.
func (a *Findings) countUnsettled(ctx context.Context, l *DamageLog) (count int64, err error) {
	if a.State == nil {
		return 0, nil
	}
	var found atomic.Int64
	var keys []string
	done := l.readBack()
	for _, key := range objects.SortedKeys(l.Keys) {
		n, _ := l.Of(key)
		if _, isObject := manifest.ParseObjectKey(key); !isObject || l.LatestBad.Has(key) || done[[2]string{key, n.Record}] {
			continue
		}
		if keys = append(keys, key); len(keys) == maxUnsettled {
			break
		}
	}
	err = objects.EachAtOnce(ctx, a.Transfers, keys, func(ctx context.Context, key string) error {
		n, _ := l.Of(key)
		o, err := a.Store.Stat(ctx, key)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, fs.ErrNotExist): // it was pruned, or a verify finds that it is missing
		case err != nil:
			a.Log.Debug("the attributes of an object that a verify found damaged cannot be read", "error", err)
		case !o.Modified.After(n.at):
			found.Add(1)
		}
		return nil
	})
	return found.Load(), err
}

// readBack returns the objects that this host has read back in part at least, each with the last record that named it
// then.
func (l *DamageLog) readBack() map[[2]string]bool {
	done := make(map[[2]string]bool, 2*len(l.read))
	for place, record := range l.read {
		done[[2]string{place, record}] = true
		if i := strings.LastIndexByte(place, '@'); i >= 0 { // in a bundle; see PlaceOf
			done[[2]string{place[:i], record}] = true
		}
	}
	return done
}
