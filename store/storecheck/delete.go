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

// locks creates one object with the lock of an archive's objects, and tries to delete it.
func (p *probeRun) locks(ctx context.Context, l store.RetentionStore) Finding {
	const advice = "stored objects could be deleted; check the bucket's object lock, " +
		"or remove lock= and legal_hold= from the URL"
	key := p.dir + store.ProbeRetained
	if _, err := p.put(ctx, store.ProbeRetained, p.text(store.ProbeRetained)); err != nil {
		return WentWrong(err)
	}
	switch locked, err := l.Locked(ctx, key); {
	case err != nil:
		return WentWrong(err)
	case !locked:
		return Fail(advice, "%s was put with a lock, and the service reports that it has none", key)
	}
	refused := p.bucket.Delete(ctx, store.AnyVersion(key))
	switch _, err := p.bucket.Stat(ctx, key); {
	case errors.Is(err, fs.ErrNotExist):
		return Fail(advice, "%s was locked and could still be deleted", key)
	case err != nil:
		return WentWrong(err)
	case refused == nil:
		return Fail(advice, "the service reported the deletion of %s, which is locked and still exists", key)
	}
	return Pass("%s is locked and cannot be deleted; it stays until its lock ends", key)
}

// deletes removes the objects of this probe and of older ones.
func (p *probeRun) deletes(ctx context.Context) Finding {
	left, err := p.cleanUp(ctx)
	stay := fmt.Sprintf("the probe's objects remain below %s (%d of them, such as %s)", p.dir, len(left), firstOf(left))
	if len(left) == 0 {
		stay = "the probe's objects may remain below " + p.dir
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return Finding{
			Result: Note,
			Detail: "the credentials may not delete: an attacker on this host cannot destroy the archive, " +
				"and prune must run elsewhere",
			Advice: stay + "; delete them with other credentials",
		}
	case errors.Is(err, store.ErrProtected):
		return Finding{
			Result: Note,
			Detail: "a lock, a hold or a retention protects new objects: nothing can be deleted before it ends, " +
				"and prune fails until then: " + firstLine(err),
			Advice: stay + "; a later check deletes them",
		}
	case err != nil && len(left) > 0:
		return Finding{Result: Note, Detail: fmt.Sprintf("%d objects could not be deleted: %s", len(left), firstLine(err)), Advice: stay}
	case err != nil:
		return Finding{Result: Note, Detail: firstLine(err), Advice: stay}
	}
	switch _, err := p.bucket.Stat(ctx, p.dir+"first"); {
	case err == nil:
		return Fail("do not use this store", "a deleted object still exists")
	case !errors.Is(err, fs.ErrNotExist):
		return WentWrong(err)
	}
	return Pass("objects can be deleted, which prune and repairs need")
}

func firstOf(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return keys[0]
}

// firstLine returns the first of joined errors: there can be one for each object.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// cleanUp deletes the objects of this probe and of older ones. If that fails, left are the keys that still exist.
// The object that tests locks may remain.
func (p *probeRun) cleanUp(ctx context.Context) (left []string, err error) {
	objects, locked, err := p.leftovers(ctx)
	if err != nil {
		return nil, err
	}
	if len(locked) > 0 {
		_ = p.bucket.Delete(ctx, locked) // fails while a lock has not ended
	}
	if len(objects) == 0 {
		return nil, nil
	}
	if err = p.bucket.Delete(ctx, objects); err == nil {
		return nil, nil
	}
	remaining, _, listErr := p.leftovers(ctx)
	for _, o := range remaining {
		left = append(left, o.Key)
	}
	return left, errors.Join(err, listErr)
}

var probeNames = []string{
	"first", store.ProbeContent, "race", store.ProbeWrong, "fresh", "large", "condition", "Case", store.ProbeRetained,
}

// isProbe reports whether a key is that of a probe's object. An archive below probe/ has no such keys.
func isProbe(key string) bool {
	_, name, _ := strings.Cut(strings.TrimPrefix(key, store.ProbePrefix), "/")
	if slices.Contains(branches, name) {
		return true
	}
	for _, before := range []string{"many/", raceName} {
		if number, numbered := strings.CutPrefix(name, before); numbered {
			_, err := strconv.ParseUint(number, 10, 16)
			return err == nil
		}
	}
	return slices.Contains(probeNames, name)
}

// leftovers lists the objects of this probe and those that older probes did not delete. It returns the objects that
// test locks separately.
func (p *probeRun) leftovers(ctx context.Context) (objects, locked []store.Object, err error) {
	for o, err := range p.bucket.List(ctx, store.ProbePrefix, "", "") {
		switch own := strings.HasPrefix(o.Key, p.dir); {
		case err != nil:
			return nil, nil, err
		case !own && !isProbe(o.Key): // possibly another archive's object
		case !own && (o.Modified.IsZero() || time.Since(o.Modified)+p.skew <= probeStale): // by the provider's clock
		case store.ProbesLock(o.Key):
			locked = append(locked, o)
		default:
			objects = append(objects, o)
		}
	}
	return objects, locked, nil
}
