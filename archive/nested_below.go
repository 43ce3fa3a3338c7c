package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// ErrHoldsArchives reports an address that has no archive itself, and archives below it. It is in an ErrNoArchive.
var ErrHoldsArchives = errors.New("there are archives below this address")

// ErrWithin reports an address that has no archive itself, and lies within one. It is in an ErrNoArchive.
var ErrWithin = errors.New("this address lies within an archive")

// Below is an archive below an address that is none itself.
type Below struct {
	Prefix string    // of its keys, below the address; it ends in "/"
	Newest *Snapshot // its newest snapshot; nil if it has none, or with Err
	Err    error     // why its snapshots cannot be listed; nil if they can
}

// The bounds of a search for the archives below an address.
const (
	maxBelow       = 1000 // archives
	maxBelowVisits = 1000 // directories without an archive
)

// Below returns the archives below an address that has none itself, in the order of their depth, then of their keys,
// with their newest snapshots. It does not search within archives. Complete reports whether the whole address was
// searched.
func (a *Archive) Below(ctx context.Context) (found []Below, complete bool, err error) {
	defer a.hold()()
	prefixes, _, complete, err := a.findBelow(ctx, maxBelow)
	if err != nil {
		return nil, false, err
	}
	for _, prefix := range prefixes {
		one := Below{Prefix: prefix}
		newest, err := a.at(prefix).List(ctx, 1)
		switch {
		case ctx.Err() != nil:
			return nil, false, context.Cause(ctx)
		case err != nil:
			one.Err = err
		case len(newest) > 0:
			one.Newest = &newest[0]
		}
		found = append(found, one)
	}
	return found, complete, nil
}

// at returns the archive at a prefix below this one's address, for reading alone.
func (a *Archive) at(prefix string) *Archive {
	b := a.withoutCache()
	b.store, b.state = &belowStore{a.store, prefix}, (*localstate.State)(nil)
	return b
}

// findBelow returns the prefixes of at most some archives below the address, and the top level's keys.
func (a *Archive) findBelow(ctx context.Context, most int) (found, top []string, complete bool, err error) {
	complete = true
	dirs := []string{""}
	for visits := 0; len(dirs) > 0; visits++ {
		if visits == maxBelowVisits || len(found) >= most {
			return found, top, false, nil
		}
		keys, whole, err := a.listDir(ctx, dirs[0])
		if err != nil {
			return nil, nil, false, err
		}
		complete = complete && whole
		if dirs[0] == "" {
			top = keys
		} else if beginsArchive(keys, dirs[0]) {
			is, err := hasArchive(ctx, a.store, dirs[0])
			if err != nil && !errors.Is(err, fs.ErrPermission) {
				return nil, nil, false, err
			}
			if is || err != nil { // otherwise it is another program's archive.json
				found = append(found, dirs[0])
				keys = nil
			}
		}
		dirs = dirs[1:]
		for _, key := range keys {
			if strings.HasSuffix(key, "/") {
				if len(dirs) == maxWaitingDirs {
					complete = false
					break
				}
				dirs = append(dirs, key)
			}
		}
	}
	return found, top, complete, nil
}

// listDir lists the keys and directories in a directory. A directory without read permission counts as empty.
func (a *Archive) listDir(ctx context.Context, dir string) (keys []string, complete bool, err error) {
	for o, err := range a.store.List(ctx, dir, "/", "") {
		switch {
		case errors.Is(err, fs.ErrPermission) && ctx.Err() == nil:
			return keys, false, nil
		case err != nil:
			return nil, false, fmt.Errorf("searching for archives: %w", err)
		case len(keys) == maxSearchedEntries:
			return keys, false, nil
		}
		keys = append(keys, o.Key)
	}
	return keys, true, nil
}

// beginsArchive reports whether a directory has a key that only archives have.
func beginsArchive(keys []string, dir string) bool {
	for _, key := range keys {
		switch strings.TrimPrefix(key, dir) {
		case manifest.ArchiveKey, manifest.ManifestsPrefix, manifest.LedgerPrefix:
			return true
		}
	}
	return false
}

// nothing returns the error of an operation on an archive that does not exist: ErrGone if this host has read it before,
// otherwise ErrNoArchive. That one states what is there: archives below the address, an archive around it, or the
// remains of an archive, which are damage. A writer makes archive.json before every other object.
func (a *Archive) nothing(ctx context.Context) error {
	if err := a.state.CheckPlace(); errors.Is(err, store.ErrGone) || errors.Is(err, localstate.ErrUnread) {
		return err
	}
	below, top, _, err := a.findBelow(ctx, 1)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		a.log.Debug("the address could not be searched for archives", "error", err)
		return ErrNoArchive
	}
	for _, key := range top {
		if key != store.ProbePrefix && IsArchiveKey(key) && a.remainsAt(ctx, key) {
			// A first backup may have begun since the caller's listing: it makes archive.json before its objects.
			if _, err := a.store.Stat(ctx, manifest.ArchiveKey); !errors.Is(err, fs.ErrNotExist) {
				return ErrNoArchive
			}
			return fmt.Errorf("%w: there are objects of one in %s, and neither %s nor a manifest; "+
				"is this the right disk? (%w)", ErrNoArchive, key, manifest.ArchiveKey, ErrDamaged)
		}
	}
	if len(below) > 0 {
		return fmt.Errorf("%w: %w, such as at the prefix %s", ErrNoArchive, ErrHoldsArchives, below[0])
	}
	if around, err := a.enclosing(ctx); err == nil && around != "" {
		return fmt.Errorf("%w: %w, at %s", ErrNoArchive, ErrWithin, around)
	}
	return ErrNoArchive
}

// remainsAt reports whether the first objects of a directory are an archive's own. Its name alone proves nothing: log
// files of another program may be in a directory "data", and so may other archives.
func (a *Archive) remainsAt(ctx context.Context, dir string) bool {
	first, err := a.tallyFirst(ctx, dir, func(o *store.Object) (own tally) {
		_, isObject := manifest.ParseObjectKey(o.Key)
		if _, _, isProof := manifest.ParseProofKey(o.Key); isObject || isProof {
			own.objects = 1
		}
		return own
	})
	return err == nil && first.objects > 0
}

// belowStore is the part of a store below a prefix, for reading.
type belowStore struct {
	all    store.Store
	prefix string
}

var errReadOnly = errors.New("the store was opened for reading")

func (s *belowStore) Put(context.Context, string, io.ReaderAt, store.Sums) (store.PutResult, error) {
	return store.PutResult{}, errReadOnly
}

func (s *belowStore) Delete(context.Context, []store.Object) error { return errReadOnly }

func (s *belowStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return s.all.Get(ctx, s.prefix+key, offset, length)
}

func (s *belowStore) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := s.all.Stat(ctx, s.prefix+key)
	o.Key = key
	return o, err
}

func (s *belowStore) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if after != "" {
		after = s.prefix + after
	}
	return func(yield func(store.Object, error) bool) {
		for o, err := range s.all.List(ctx, s.prefix+prefix, delimiter, after) {
			o.Key = strings.TrimPrefix(o.Key, s.prefix)
			if !yield(o, err) {
				return
			}
		}
	}
}
