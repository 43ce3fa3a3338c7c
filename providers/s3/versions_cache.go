package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// versionWindows is the number of listed pages that are cached: a few megabytes, with 1,000 versions each.
const versionWindows = 16

// versionMemory caches the id of the oldest version of a key. The oldest version changes only if it is
// deleted, so a cached id is either correct or does not exist. The cache has the pages that were listed
// last. Archives are read in the order of their keys, so one listing serves the next thousand reads.
type versionMemory struct {
	turn  chan struct{} // has an element while GetBucketVersioning runs
	known atomic.Value  // versionsMode: whether the bucket keeps versions
	page  int           // versions per listing request; 0 means ListPage

	mu      sync.Mutex
	ids     map[string]remembered
	windows [][]string // the keys of each page, the oldest page first
	first   int        // the number of windows[0]
	running []*lookup
}

type remembered struct {
	id     string
	window int
}

// lookup is a running listing, which may also find keys after its own.
type lookup struct {
	key  string
	done chan struct{}
}

func (m *versionMemory) pageSize() int {
	if m.page > 0 {
		return m.page
	}
	return cloud.ListPage
}

func (m *versionMemory) remember(oldest []version) {
	if len(oldest) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids == nil {
		m.ids = map[string]remembered{}
	}
	window := m.first + len(m.windows)
	keys := make([]string, len(oldest))
	for i, v := range oldest {
		keys[i] = v.key
		m.ids[v.key] = remembered{v.id, window}
	}
	m.windows = append(m.windows, keys)
	if len(m.windows) <= versionWindows {
		return
	}
	for _, key := range m.windows[0] {
		if m.ids[key].window == m.first { // otherwise a later page has it, too
			delete(m.ids, key)
		}
	}
	m.windows[0] = nil
	m.windows = m.windows[1:]
	m.first++
}

func (m *versionMemory) id(key string) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.ids[key]
	return r.id, ok
}

func (m *versionMemory) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.ids, key)
}

// near returns the running lookup with the greatest key up to key, and nil if there is none.
func (m *versionMemory) near(key string) *lookup {
	m.mu.Lock()
	defer m.mu.Unlock()
	var best *lookup
	for _, l := range m.running {
		if l.key <= key && (best == nil || best.key < l.key) {
			best = l
		}
	}
	return best
}

// begin records a lookup as running until end is called.
func (m *versionMemory) begin(key string) (end func()) {
	l := &lookup{key, make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.running = append(m.running, l)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.running = slices.DeleteFunc(m.running, func(r *lookup) bool { return r == l })
		close(l.done)
	}
}

// atOldest calls do with the id of the version that is the object, or with nil if the bucket keeps no
// versions. full is the whole key in the bucket. If that version has been deleted since its id was listed, another one
// may have been put: atOldest looks the id up and calls do again, as long as the id is another one.
func (s *adapter) atOldest(ctx context.Context, full string, do func(id *string) error) error {
	versioned, err := s.versioned(ctx)
	if err != nil {
		return err
	}
	if !versioned {
		return do(nil)
	}
	id, isCached := s.oldest.id(full)
	for gone, tries := "", 0; ; tries++ {
		if !isCached {
			if id, err = s.lookUp(ctx, full, gone); err != nil {
				return err
			}
		}
		err := do(&id)
		if dialect.KindOf(err) != cloud.NotFound || id == gone || tries == maxReplaced {
			return err
		}
		s.oldest.forget(full)
		gone, isCached = id, false
	}
}

// maxReplaced is how often an object may be replaced while it is looked up. Repairs alone replace one.
const maxReplaced = 5

// lookUp finds the oldest version of a key, or returns a types.NoSuchKey. If a running lookup may find the key, it waits for that one, and
// for no second one: if a program reads few of many objects, each needs its own lookup. The other lookup may be older
// than the deletion of a version whose id is gone, and then lookUp lists, too.
func (s *adapter) lookUp(ctx context.Context, full, gone string) (string, error) {
	if l := s.oldest.near(full); l != nil {
		select {
		case <-l.done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if id, ok := s.oldest.id(full); ok && id != gone {
			return id, nil
		}
	}
	for tries := 1; ; tries++ {
		id, err := s.listOldest(ctx, full)
		if err != nil || id != "" {
			return id, err
		}
		if most, err := s.retriesFor(ctx, full); err != nil || tries > most {
			return "", cmp.Or(err, error(&types.NoSuchKey{}))
		}
		if err := cloud.Pause(ctx, cloud.Backoff(tries)); err != nil {
			return "", err
		}
	}
}

// listOldest lists until it finds the oldest version of a key. It returns "" if there is none.
func (s *adapter) listOldest(ctx context.Context, full string) (string, error) {
	defer s.oldest.begin(full)()
	at, held := versionMarker{key: justBefore(s.Prefix, full)}, (*version)(nil)
	var markers cloud.Tokens
	for {
		p, err := s.listVersions(ctx, s.Prefix, "", at, s.oldest.pageSize())
		if err == nil {
			err = p.advance(&markers)
		}
		if err != nil {
			return "", err
		}
		var oldest []version
		oldest, held = p.whole(held)
		s.oldest.remember(oldest)
		for _, v := range oldest {
			if v.key == full {
				return v.id, nil
			}
		}
		if !p.more || p.last > full {
			return "", nil
		}
		at = p.next
	}
}

// retriesFor returns how many listings more a key is worth that a listing did not have. A listing may omit an object while
// one of its versions is deleted: MinIO lists without a lock. A HEAD takes the lock. A delete marker may be the only thing
// under the key, so it is worth one listing. Without permission for a HEAD, the listing counts.
func (s *adapter) retriesFor(ctx context.Context, full string) (int, error) {
	_, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucketName, Key: &full})
	if err == nil {
		return maxReplaced, nil
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response.Header.Get("X-Amz-Delete-Marker") == "true" {
		return 1, nil
	}
	if k := dialect.KindOf(err); k == cloud.NotFound || k == cloud.Denied {
		return 0, nil
	}
	return 0, fmt.Errorf("HeadObject: %w", err)
}

// justBefore returns a position in a listing shortly before a key.
func justBefore(prefix, full string) string {
	if at := full[:len(full)-1]; len(at) > len(prefix) {
		return at
	}
	return ""
}
