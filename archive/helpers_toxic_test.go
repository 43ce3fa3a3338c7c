package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// patience ends the wait for an event that does not come: far beyond the time of any.
const patience = 10 * time.Minute

// shaky is an archive on a real server behind a proxy, and the database that belongs to
// it.
type shaky struct {
	db       *database
	straight store.Store // to the server itself
	through  store.Store // by way of the proxy
	usual    store.Store // the same, with the usual patience
	url      string      // of the archive by way of the proxy
	proxy    *storetest.Proxy
	where    string                             // as errors name it
	uploads  func(t *testing.T, key string) int // begun and not ended; nil: the service shows none
	greedy   int64                              // objects up to this size are refused only after they were sent
}

// onShaky runs a test on each server, side by side.
func onShaky(t *testing.T, test func(t *testing.T, s *shaky)) {
	t.Helper()
	for name, fresh := range map[string]func(t *testing.T, s *shaky) string{
		"minio": func(t *testing.T, s *shaky) string {
			server := storetest.NewS3(t)
			s.uploads = server.Uploads
			return server.URL
		},
		"azurite": func(t *testing.T, s *shaky) string {
			s.greedy = 16 << 20 // unlike Azure it reads the body first
			return storetest.Azure(t)
		},
		"fake-gcs": func(t *testing.T, _ *shaky) string { return storetest.GCS(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &shaky{db: newDatabase(t, t.TempDir(), 70)}
			straight := fresh(t, s)
			s.straight = openBucket(t, straight, 0)
			s.url, s.proxy = storetest.Behind(t, straight)
			s.where, _, _ = strings.Cut(straight, "?")
			s.usual = openBucket(t, s.url, 0)
			s.through = s.usual
			test(t, s)
		})
	}
}

// hurry has connections by way of the proxy stand still no longer than this, until calm.
func (s *shaky) hurry(t *testing.T, timeout time.Duration) {
	t.Helper()
	s.through = openBucket(t, s.url, timeout)
}

// calm returns to the usual patience, with which an operation that must succeed does so also on a
// busy machine. It ends the uploads that the hurried store alone has a record of and could not end.
func (s *shaky) calm(t *testing.T) {
	t.Helper()
	if hasty, ok := s.through.(store.Sweeper); ok && s.through != s.usual {
		if _, err := hasty.Sweep(t.Context()); err != nil {
			t.Fatalf("ending its uploads: %v", err)
		}
	}
	s.through = s.usual
}

func openBucket(t *testing.T, url string, timeout time.Duration) providers.Bucket {
	t.Helper()
	b, err := providers.Open(t.Context(), url, providers.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// fill writes closed files of these sizes in MiB, and a short open one.
func (s *shaky) fill(sizes ...int) {
	random := rand.NewChaCha8([32]byte{70})
	for _, size := range sizes {
		b := make([]byte, size<<20)
		random.Read(b)
		s.db.set(name(s.db.last), b)
		s.db.flip(100_000)
	}
}

// attempt is an operation in progress.
type attempt struct {
	archive.Progress
	what string
	done chan struct{} // is closed when it has ended
	err  error
	res  *archive.BackupResult
}

// begin starts an operation by way of the proxy.
func (s *shaky) begin(t *testing.T, what string, run func(ctx context.Context, a *archive.Archive, at *attempt) error) *attempt {
	at := &attempt{what: what, done: make(chan struct{})}
	a := archive.New(s.through, archive.Options{Progress: &at.Progress})
	ctx := t.Context()
	go func() {
		defer close(at.done)
		at.err = run(ctx, a, at)
	}()
	t.Cleanup(func() { <-at.done }) // it uses resources that are closed afterwards
	return at
}

func (s *shaky) backup(t *testing.T) *attempt {
	src := s.db.source()
	return s.begin(t, "backup", func(ctx context.Context, a *archive.Archive, at *attempt) (err error) {
		at.res, err = a.Backup(ctx, src, options)
		return err
	})
}

func (s *shaky) restore(t *testing.T, dir string) *attempt {
	return s.begin(t, "restore", func(ctx context.Context, a *archive.Archive, _ *attempt) error {
		m, err := a.Snapshot(ctx, archive.Selector{})
		if err == nil {
			_, err = a.Restore(ctx, m, dir, archive.RestoreOptions{})
		}
		return err
	})
}

// verify reads everything. An object that cannot be reached is not damaged.
func (s *shaky) verify(t *testing.T) *attempt {
	return s.begin(t, "verify", func(ctx context.Context, a *archive.Archive, _ *attempt) error {
		r, err := a.Verify(ctx, archive.VerifyOptions{ReadData: true})
		if err == nil && len(r.Problems) > 0 {
			t.Errorf("verify finds %+v where only the network is at fault", r.Problems)
		}
		return err
	})
}

// moves waits until an operation has transferred this number of bytes.
func (at *attempt) moves(t *testing.T, bytes int64) {
	t.Helper()
	storetest.Eventually(t, "enough bytes moved", func() bool { return at.over(0) || at.BytesDone.Load() >= bytes },
		func() string { return at.what })
	if at.over(0) {
		t.Fatalf("the %s was over before anything was in its way: %v", at.what, at.err)
	}
}

// over reports whether an operation has ended, and waits for that a little.
func (at *attempt) over(wait time.Duration) bool {
	select {
	case <-at.done:
		return true
	case <-time.After(wait):
		return false
	}
}

// ends waits until an operation has ended: it must not take longer.
func (at *attempt) ends(t *testing.T, limit time.Duration) error {
	t.Helper()
	if !at.over(limit) {
		t.Fatalf("the %s has no end after %v", at.what, limit)
	}
	return at.err
}

// succeeds waits for an operation that must end well.
func (at *attempt) succeeds(t *testing.T) {
	t.Helper()
	if err := at.ends(t, patience); err != nil {
		t.Fatalf("the %s fails: %v", at.what, err)
	}
}

// clear fails the test if an operation's error does not name the operation and the place in one
// line, or is of an unexpected kind.
func (s *shaky) clear(t *testing.T, err error, kinds ...providers.Kind) {
	t.Helper()
	if err == nil {
		return
	}
	t.Logf("the error: %v", err)
	var e *providers.Error
	text := err.Error()
	if !errors.As(err, &e) || !strings.Contains(text, s.where) || strings.Contains(text, "\n") || len(text) > 800 {
		t.Errorf("not clear: %q", text)
		return
	}
	for _, k := range kinds {
		if e.Kind == k {
			return
		}
	}
	if len(kinds) > 0 {
		t.Errorf("an error of kind %d, want one of %d: %v", e.Kind, kinds, err)
	}
}

// sound checks on the server itself that each listed snapshot restores to the database's content,
// and that nothing is missing. It returns the number of snapshots.
func (s *shaky) sound(t *testing.T) int {
	t.Helper()
	a := archive.New(s.straight, archive.Options{})
	snapshots, err := a.List(t.Context(), 0)
	if errors.Is(err, archive.ErrNoArchive) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range snapshots {
		mustRestore(t, a, l.Sequence, filepath.Join(t.TempDir(), "r"), s.db.files)
	}
	if len(snapshots) > 0 { // the restores have read the content
		r, err := a.Verify(t.Context(), archive.VerifyOptions{})
		if err != nil || len(r.Problems) > 0 {
			t.Fatalf("verify: %+v, %v", r, err)
		}
	}
	return len(snapshots)
}

// again takes from the way what is in it and runs a backup again: it succeeds, sends
// nothing that is there already, and leaves nothing behind.
func (s *shaky) again(t *testing.T) {
	t.Helper()
	s.proxy.Heal(t)
	s.calm(t)
	made, there := s.sound(t), s.stored(t)
	missing, greedy := int64(0), int64(0)
	for _, content := range s.db.files {
		missing += int64(len(content))
	}
	for _, o := range there {
		missing -= o.Size
		if o.Size <= s.greedy {
			greedy += o.Size
		}
	}
	at := s.backup(t)
	at.succeeds(t)
	s.proxy.Down(t)
	defer s.proxy.Up(t)
	switch {
	case made > 0 && (at.res.Committed || at.res.Sent > 0):
		t.Errorf("a snapshot was there, and there is another: %+v", at.res)
	case made == 0 && (!at.res.Committed || at.res.Adopted != len(there)):
		t.Errorf("the rerun adopted %d of %d objects: %+v", at.res.Adopted, len(there), at.res)
	}
	s.sentOnly(t, missing, 256<<10+greedy)
	if n := s.sound(t); n != 1 {
		t.Errorf("%d snapshots, want 1", n)
	}
	now := s.stored(t)
	if len(now) != len(s.db.files) {
		t.Errorf("%d objects of %d files: %+v", len(now), len(s.db.files), now)
	}
	for _, o := range now {
		if s.uploads != nil && s.uploads(t, o.Key) > 0 {
			t.Errorf("%s: an upload is left behind", o.Key)
		}
	}
}

// sentOnly checks that this number of bytes of content was sent since the proxy came up, and few
// other bytes: requests, and content that is too small for a question beforehand.
func (s *shaky) sentOnly(t *testing.T, content, besides int64) {
	t.Helper()
	var sent int64
	storetest.Eventually(t, "all is counted", func() bool {
		sent = s.proxy.Sent(t)
		return sent > content
	}, func() string { return fmt.Sprintf("%d bytes were sent, want %d", sent, content) })
	if sent > content+besides {
		t.Errorf("%d bytes were sent where %d were missing", sent, content)
	}
}

// stored are the objects that hold content.
func (s *shaky) stored(t *testing.T) []store.Object {
	t.Helper()
	var all []store.Object
	for o, err := range s.straight.List(t.Context(), manifest.DataPrefix, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// restoredAgain runs a restore again, now that nothing is in its way. One that failed has
// left no directory of that name.
func (s *shaky) restoredAgain(t *testing.T, dir string, err error) {
	t.Helper()
	if _, there := os.Stat(dir); err != nil && !errors.Is(there, fs.ErrNotExist) {
		t.Errorf("the restore failed, and %s is there (%v)", dir, there)
	}
	s.calm(t)
	s.restore(t, dir).succeeds(t)
	compare(t, dir, s.db.files)
}
