package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

const (
	// maxLeftoverKeys bounds the search for what a broken-off run left. In a log, new
	// names come after old ones, so that the search mostly meets nothing else.
	maxLeftoverKeys = 20_000
	// sweepFrom is a size below which no provider sends an object in parts.
	sweepFrom = 16 << 20
)

// leftovers are the data objects that bear the number aimed at: they were stored by a
// run that was broken off before its commit.
type leftovers struct {
	keys map[string]bool
	ask  bool // there was too much to list: ask for each object by itself
}

// findLeftovers lists the keys between the first and the last that are to be stored, so
// that nothing which was acknowledged already is sent again.
func (r *backupRun) findLeftovers(ctx context.Context, upload []source.File) error {
	if !r.head.hasData || len(upload) == 0 {
		return nil
	}
	var first, last string
	for i := range upload {
		prefix := manifest.DataPrefix + manifest.EncodeName(upload[i].Name) + "/"
		if first == "" || prefix < first {
			first = prefix
		}
		last = max(last, prefix)
	}
	r.left.keys = map[string]bool{}
	seen := 0
	// Keys go on after the prefix with hex digits, all of which come before "g".
	for o, err := range r.store.List(ctx, manifest.DataPrefix, "", first) {
		if err != nil {
			return fmt.Errorf("looking for what a broken-off run left: %w", err)
		}
		if o.Key > last+"g" {
			break
		}
		if seen++; seen > maxLeftoverKeys {
			r.left.ask = true
			break
		}
		if k, ok := manifest.ParseObjectKey(o.Key); ok && k.Sequence == r.next {
			r.left.keys[o.Key] = true
		}
	}
	return nil
}

// checkNested makes sure that nothing of these files would be stored within a nested archive.
func (r *backupRun) checkNested(ctx context.Context, upload []source.File) error {
	if !r.head.hasData {
		return nil
	}
	return r.Archive.checkNested(ctx, func(yield func(string) bool) {
		for i := range upload {
			if !yield(manifest.DataPrefix + manifest.EncodeName(upload[i].Name) + "/") {
				return
			}
		}
	})
}

// adopt looks at an object that a broken-off run may have stored, and reports whether
// it is there and right, by the provider's checksum.
func (r *backupRun) adopt(ctx context.Context, key string, sums Sums) (Stored, bool, error) {
	if !r.left.keys[key] && !r.left.ask {
		return Stored{}, false, nil
	}
	o, err := r.store.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return Stored{}, false, nil
	}
	if err != nil {
		return Stored{}, false, fmt.Errorf("looking at %s: %w", key, err)
	}
	if o.CRC32C == nil {
		return Stored{}, false, nil // Put compares by itself, and on a file system makes it durable
	}
	if o.Size != sums.Size || *o.CRC32C != sums.CRC32C {
		return Stored{}, false, fmt.Errorf("%s is not what its name says; delete it and run again: %w", key, ErrExists)
	}
	return Stored{Existed: true, MD5: o.MD5}, true, nil
}

// sweep removes what broken-off uploads left behind at the provider, if this run has
// reason to think that there may be any.
func (r *backupRun) sweep(ctx context.Context) {
	s, ok := r.store.(Sweeper)
	if !ok || (!r.large && r.res.Adopted == 0) {
		return
	}
	n, err := s.Sweep(ctx)
	if err != nil {
		r.log.Warn("left-behind uploads could not be swept; the next run tries again", "error", err)
	}
	if n > 0 {
		r.log.Info("left-behind uploads were swept", "count", n)
	}
}
