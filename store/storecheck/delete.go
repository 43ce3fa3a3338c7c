package storecheck

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/store"
)

// locks puts one object under the lock that an archive's objects get, and tries to delete
// it.
func (p *probeRun) locks(ctx context.Context, l store.RetentionStore) Finding {
	const advice = "what is stored could be deleted; look at the bucket's object lock, or leave lock= and legal_hold= out of the URL"
	key := p.dir + store.ProbeRetained
	if _, err := p.put(ctx, store.ProbeRetained, p.text(store.ProbeRetained)); err != nil {
		return WentWrong(err)
	}
	switch locked, err := l.Locked(ctx, key); {
	case err != nil:
		return WentWrong(err)
	case !locked:
		return Fail(advice, "%s was put with a lock, and the service says that it has none", key)
	}
	refused := p.bucket.Delete(ctx, []string{key})
	switch _, err := p.bucket.Stat(ctx, key); {
	case errors.Is(err, fs.ErrNotExist):
		return Fail(advice, "%s was locked, and could be deleted all the same", key)
	case err != nil:
		return WentWrong(err)
	case refused == nil:
		return Fail(advice, "the service said that it had deleted %s, which is locked and still there", key)
	}
	return Pass("%s is locked and cannot be deleted; it stays until its lock ends", key)
}

// deletes removes all that this probe, and older ones, made.
func (p *probeRun) deletes(ctx context.Context) Finding {
	left, err := p.cleanUp(ctx)
	stay := fmt.Sprintf("the probe's objects stay below %s (%d of them, such as %s)", p.dir, len(left), firstOf(left))
	if len(left) == 0 {
		stay = "the probe's objects may stay below " + p.dir
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return Finding{
			Result: Note, Detail: "nothing may be deleted: a host that is broken into cannot destroy the archive, and prune must run elsewhere",
			Advice: stay + "; delete them with other credentials",
		}
	case err != nil && len(left) > 0:
		return Finding{Result: Note, Detail: fmt.Sprintf("%d objects could not be deleted: %s", len(left), firstLine(err)), Advice: stay}
	case err != nil:
		return Finding{Result: Note, Detail: firstLine(err), Advice: stay}
	}
	if _, err := p.bucket.Stat(ctx, p.dir+"first"); !errors.Is(err, fs.ErrNotExist) {
		return Fail("do not rely on this store", "an object that was deleted is still there (%v)", err)
	}
	return Pass("objects can be deleted, which only prune needs")
}

func firstOf(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return keys[0]
}

// firstLine is one example of joined errors, of which there can be as many as objects.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// cleanUp deletes what this probe made, and what older ones left behind. When that fails,
// left is what of it is still there. What was locked to try that may stay.
func (p *probeRun) cleanUp(ctx context.Context) (left []string, err error) {
	keys, locked, err := p.leftovers(ctx)
	if err != nil {
		return nil, err
	}
	if len(locked) > 0 {
		_ = p.bucket.Delete(ctx, locked) // a lock that has not ended is what keeps them
	}
	if len(keys) == 0 {
		return nil, nil
	}
	if err = p.bucket.Delete(ctx, keys); err == nil {
		return nil, nil
	}
	left, _, listErr := p.leftovers(ctx)
	return left, errors.Join(err, listErr)
}

// isProbe reports whether a probe has made an object. An archive that lies below probe/ has no such keys.
func isProbe(key string) bool {
	_, name, _ := strings.Cut(strings.TrimPrefix(key, store.ProbePrefix), "/")
	if number, many := strings.CutPrefix(name, "many/"); many {
		_, err := strconv.ParseUint(number, 10, 16)
		return err == nil
	}
	return slices.Contains([]string{"first", store.ProbeContent, "race", "wrong", "fresh", "large", store.ProbeRetained}, name)
}

// leftovers lists what this probe made and what older ones left, and apart from that what
// was locked to try that.
func (p *probeRun) leftovers(ctx context.Context) (keys, locked []string, err error) {
	for o, err := range p.bucket.List(ctx, store.ProbePrefix, "", "") {
		switch own := strings.HasPrefix(o.Key, p.dir); {
		case err != nil:
			return nil, nil, err
		case !own && !isProbe(o.Key): // another archive may lie here
		case !own && (o.Modified.IsZero() || time.Since(o.Modified)+p.skew <= probeStale): // by the provider's clock
		case store.ProbesLock(o.Key):
			locked = append(locked, o.Key)
		default:
			keys = append(keys, o.Key)
		}
	}
	return keys, locked, nil
}
