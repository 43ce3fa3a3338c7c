package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// deleteBatch is the maximum number of keys in one request to delete.
const deleteBatch = 1000

// Delete implements store.Store, with one request for every thousand objects. The service compares the ETag. If the
// bucket keeps versions, Delete lists all versions of the keys, compares the oldest one's id, and deletes by id.
//
// Some services ignore the ETag. So Delete compares that of a single object itself, too: a repair deletes one at a
// time. A prune deletes many at once, and needs no condition (docs/protocol.md).
func (s *adapter) Delete(ctx context.Context, objects []store.Object) error {
	var errs []error
	good := make([]store.Object, 0, len(objects))
	for _, o := range objects {
		if err := cloud.CheckKey(o.Key); err != nil {
			errs = append(errs, s.fail("deleting", o.Key, err))
			continue
		}
		good = append(good, o)
	}
	if len(good) == 0 {
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, s.deleteGood(ctx, good, true))...)
}

// deleteGood deletes objects with valid keys. compares means that it compares the ETag of a single one itself, too.
func (s *adapter) deleteGood(ctx context.Context, objects []store.Object, compares bool) error {
	versioned, err := s.versioned(ctx)
	switch {
	case err != nil:
		return s.fail("deleting", batchName(deletedKeys(objects)), err)
	case versioned: // an id is a condition that no service ignores
		return s.deleteVersions(ctx, objects)
	case compares && len(objects) == 1 && objects[0].Version != "":
		o := &objects[0]
		now, err := s.Attributes(ctx, o.Key)
		switch err = s.fail("deleting", o.Key, err); {
		case errors.Is(err, fs.ErrNotExist) && !errors.Is(err, cloud.ErrNoBucket):
			return nil
		case err != nil:
			return err
		case now.Version != o.Version:
			return s.Changed(o.Key)
		}
	}
	return s.deleteByETag(ctx, objects)
}

func deletedKeys(objects []store.Object) []string {
	keys := make([]string, len(objects))
	for i := range objects {
		keys[i] = objects[i].Key
	}
	return keys
}

// deleteByETag deletes objects of a bucket that keeps no versions.
func (s *adapter) deleteByETag(ctx context.Context, objects []store.Object) error {
	targets := make([]version, len(objects))
	for i := range objects {
		targets[i] = version{key: *s.key(objects[i].Key)}
		if s.conditions {
			targets[i].etag = objects[i].Version
		}
	}
	return s.deleteObjects(ctx, targets, map[string]bool{})
}

// deleteVersions deletes all versions of the keys, and their delete markers. It deletes the oldest version, which is
// the object, last. So no other version becomes the object if the deletion is interrupted. An object whose oldest
// version is another one than was read keeps all of them.
func (s *adapter) deleteVersions(ctx context.Context, objects []store.Object) error {
	var errs []error
	objects = slices.SortedFunc(slices.Values(objects), func(a, b store.Object) int { return strings.Compare(a.Key, b.Key) })
	for batch := range slices.Chunk(objects, deleteBatch) {
		newer, oldest, err := s.allVersions(ctx, deletedKeys(batch))
		if err != nil {
			errs = append(errs, s.fail("deleting", batchName(deletedKeys(batch)), err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		failed := map[string]bool{}
		errs = append(errs, s.keepChanged(batch, oldest, failed))
		isKept := func(v version) bool { return failed[v.key] }
		newer, oldest = slices.DeleteFunc(newer, isKept), slices.DeleteFunc(oldest, isKept)
		for _, v := range oldest {
			s.oldest.forget(v.key)
		}
		errs = append(errs, s.deleteObjects(ctx, newer, failed))
		errs = append(errs, s.deleteObjects(ctx, slices.DeleteFunc(oldest, isKept), failed))
	}
	return errors.Join(errs...)
}

// keepChanged adds the keys to failed whose oldest version is not the one to delete.
func (s *adapter) keepChanged(objects []store.Object, oldest []version, failed map[string]bool) error {
	wanted := map[string]string{}
	for _, o := range objects {
		wanted[*s.key(o.Key)] = o.Version
	}
	var errs []error
	for _, v := range oldest {
		if want := wanted[v.key]; want != "" && want != stampOf(v.id, v.etag) {
			s.oldest.forget(v.key)
			failed[v.key] = true
			errs = append(errs, s.Changed(strings.TrimPrefix(v.key, s.Prefix)))
		}
	}
	return errors.Join(errs...)
}

// nullVersion is the id of all versions that were put while the bucket kept none.
const nullVersion = "null"

// stampOf returns store.Object's Version of a version. Its id is enough, unless others have had the same.
func stampOf(id, etag string) string {
	if id == nullVersion {
		return id + " " + etag
	}
	return id
}

// allVersions lists the versions of sorted keys: oldest has the oldest version of each key, newer all others
// and the delete markers. It lists keys that are close together with one request.
func (s *adapter) allVersions(ctx context.Context, keys []string) (newer, oldest []version, err error) {
	wanted := map[string]bool{}
	for _, key := range keys {
		wanted[*s.key(key)] = true
	}
	last := map[string]int{} // the index in oldest by key
	take := func(p *versionPage) {
		for _, v := range p.versions {
			i, seen := last[v.key]
			switch {
			case !wanted[v.key]:
			case seen:
				newer, oldest[i] = append(newer, oldest[i]), v
			default:
				last[v.key], oldest = len(oldest), append(oldest, v)
			}
		}
		for _, m := range p.markers {
			if wanted[m.key] {
				newer = append(newer, m)
			}
		}
	}
	at, jump := versionMarker{}, true
	var markers cloud.Tokens
	for len(keys) > 0 {
		if jump {
			at = versionMarker{key: justBefore(s.Prefix, *s.key(keys[0]))}
		}
		p, err := s.listVersions(ctx, s.Prefix, "", at, s.oldest.pageSize())
		if err == nil {
			err = p.advance(&markers)
		}
		if err != nil {
			return nil, nil, err
		}
		take(p)
		for len(keys) > 0 && (!p.more || *s.key(keys[0]) < p.last) {
			keys = keys[1:]
		}
		at = p.next
		// There may be many other keys before the next one. The listing skips them, unless
		// it would go back.
		jump = len(keys) > 0 && p.last != "" && justBefore(s.Prefix, *s.key(keys[0])) > p.last
	}
	return newer, oldest, nil
}

// deleteObjects deletes versions, with one request for every thousand. It adds the keys of the versions that
// it could not delete to failed.
func (s *adapter) deleteObjects(ctx context.Context, versions []version, failed map[string]bool) error {
	var errs []error
	for batch := range slices.Chunk(versions, deleteBatch) {
		refused, err := s.deleteOneBatch(ctx, batch)
		if err != nil {
			for _, v := range batch {
				failed[v.key] = true
			}
			errs = append(errs, s.fail("deleting", s.batchName(batch), err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		isGone := s.findGone(ctx, refused)
		for _, e := range refused {
			id := objectID{aws.ToString(e.Key), aws.ToString(e.VersionId)}
			if err := s.deleteError(e); err != nil && !isGone[id] {
				failed[aws.ToString(e.Key)] = true
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// deleteOneBatch sends one request, and sends the objects again for which the service was busy. It returns the errors
// of the objects that the service did not delete.
func (s *adapter) deleteOneBatch(ctx context.Context, batch []version) (refused []types.Error, _ error) {
	for attempt := 1; ; attempt++ {
		errs, err := s.sendDelete(ctx, batch)
		if err != nil {
			return nil, err
		}
		busy := map[objectID]bool{}
		for i := range errs {
			if isBusy(&errs[i]) {
				busy[objectID{aws.ToString(errs[i].Key), aws.ToString(errs[i].VersionId)}] = true
			} else {
				refused = append(refused, errs[i])
			}
		}
		batch = slices.DeleteFunc(slices.Clone(batch), func(v version) bool { return !busy[objectID{v.key, v.id}] })
		if len(batch) == 0 || attempt == cloud.MaxAttempts || s.budget.Spend() != nil {
			return append(refused, slices.DeleteFunc(errs, func(e types.Error) bool { return !isBusy(&e) })...), nil
		}
		if err := cloud.Pause(ctx, cloud.Backoff(attempt)); err != nil {
			return nil, err
		}
	}
}

// findGone returns the versions whose ids a service refused because another program has deleted them. VersityGW calls
// such an id invalid. The ids were listed before, so a listing without them shows that the versions are gone. All
// versions of a batch take one listing, which costs about as much as the one that found them.
func (s *adapter) findGone(ctx context.Context, refused []types.Error) map[objectID]bool {
	gone := map[objectID]bool{}
	var keys []string
	for i := range refused {
		e := &refused[i]
		key, id := aws.ToString(e.Key), aws.ToString(e.VersionId)
		if id == "" || aws.ToString(e.Code) != "InvalidArgument" || !strings.HasPrefix(key, s.Prefix) {
			continue
		}
		gone[objectID{key, id}] = true
		keys = append(keys, strings.TrimPrefix(key, s.Prefix))
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	newer, oldest, err := s.allVersions(ctx, slices.Compact(keys))
	if err != nil {
		return nil // the refusals are reported
	}
	for _, v := range slices.Concat(newer, oldest) {
		delete(gone, objectID{v.key, v.id})
	}
	return gone
}

func (s *adapter) batchName(versions []version) string {
	keys := make([]string, len(versions))
	for i, v := range versions {
		keys[i] = strings.TrimPrefix(v.key, s.Prefix)
	}
	return batchName(keys)
}

// batchName returns the keys, for the error of a request that failed as a whole.
func batchName(keys []string) string {
	if len(keys) == 1 {
		return keys[0]
	}
	return fmt.Sprintf("%s … %s (%d objects)", keys[0], keys[len(keys)-1], len(keys))
}
