package archive_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The ways to disturb the network.
func latency(stream string, ms, jitter int) storetest.Toxic {
	return storetest.Toxic{Type: "latency", Stream: stream, Attributes: map[string]int{"latency": ms, "jitter": jitter}}
}

func bandwidth(stream string, kbPerSecond int) storetest.Toxic {
	return storetest.Toxic{Type: "bandwidth", Stream: stream, Attributes: map[string]int{"rate": kbPerSecond}}
}

// sliced cuts what is sent into small pieces.
func sliced(stream string, size int) storetest.Toxic {
	return storetest.Toxic{Type: "slicer", Stream: stream, Attributes: map[string]int{"average_size": size, "size_variation": size / 2, "delay": 0}}
}

// reset resets a connection at its next byte.
func reset(stream string) storetest.Toxic {
	return storetest.Toxic{Type: "reset_peer", Stream: stream, Attributes: map[string]int{"timeout": 0}}
}

// cut ends a connection after the given number of bytes.
func cut(stream string, bytes int) storetest.Toxic {
	return storetest.Toxic{Type: "limit_data", Stream: stream, Attributes: map[string]int{"bytes": bytes}}
}

// hang swallows all bytes and leaves the connection open.
func hang(stream string) storetest.Toxic {
	return storetest.Toxic{Type: "timeout", Stream: stream, Attributes: map[string]int{"timeout": 0}}
}

// The whole way over a long one, in small pieces.
func TestToxicLatency(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(17, 1)
		for _, stream := range []string{storetest.Upload, storetest.Download} {
			s.proxy.Add(t, sliced(stream, 8<<10), latency(stream, 50, 25))
		}
		s.backup(t).succeeds(t)
		dir := filepath.Join(t.TempDir(), "r")
		s.restore(t, dir).succeeds(t)
		compare(t, dir, s.db.files)
		s.verify(t).succeeds(t)
		s.again(t)
	})
}

// A part takes longer than a connection may stand still: it does not stand still.
func TestToxicBandwidth(t *testing.T) {
	t.Parallel()
	const timeout = 8 * time.Second
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(17)
		s.hurry(t, timeout)
		s.proxy.Add(t, bandwidth(storetest.Upload, 800), bandwidth(storetest.Download, 1500))
		start := time.Now()
		s.backup(t).succeeds(t)
		if took := time.Since(start); took < timeout {
			t.Errorf("the backup took %v only", took)
		}
		start = time.Now()
		dir := filepath.Join(t.TempDir(), "r")
		s.restore(t, dir).succeeds(t)
		if took := time.Since(start); took < timeout {
			t.Errorf("the restore took %v only", took)
		}
		compare(t, dir, s.db.files)
		s.again(t)
	})
}

// Connections are reset in the middle of a large upload, for a second.
func TestToxicResetUpload(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(40, 1)
		s.proxy.Add(t, bandwidth(storetest.Upload, 8000))
		at := s.backup(t)
		at.moves(t, 9<<20)
		s.proxy.Add(t, reset(storetest.Upload))
		at.over(time.Second)
		s.proxy.Heal(t)
		s.clear(t, at.ends(t, patience))
		s.again(t)
	})
}

// No connection lives long enough for a part: the backup does not go on for ever.
func TestToxicNoPartArrives(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(1, 24)
		s.hurry(t, 3*time.Second)
		s.proxy.Add(t, cut(storetest.Upload, 5<<20))
		at := s.backup(t)
		err := at.ends(t, patience)
		if err == nil {
			t.Error("parts of 8 MiB have arrived over connections of 5 MiB")
		}
		s.clear(t, err)
		s.again(t)
	})
}

// Connections are reset in the middle of a large download, for a second.
func TestToxicResetDownload(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(24, 1)
		s.backup(t).succeeds(t)
		broken := func(begin func() *attempt) error {
			s.proxy.Add(t, bandwidth(storetest.Download, 8000))
			at := begin()
			at.moves(t, 2<<20)
			s.proxy.Add(t, reset(storetest.Download))
			at.over(time.Second)
			s.proxy.Heal(t)
			err := at.ends(t, patience)
			s.clear(t, err)
			return err
		}
		dir := filepath.Join(t.TempDir(), "r")
		s.restoredAgain(t, dir, broken(func() *attempt { return s.restore(t, dir) }))
		if broken(func() *attempt { return s.verify(t) }) != nil {
			s.verify(t).succeeds(t)
		}
		s.again(t)
	})
}

// The server falls silent in the middle of an upload: after three times the timeout the request is
// abandoned.
func TestToxicHangingUpload(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(24, 1)
		s.hurry(t, 5*time.Second)
		s.proxy.Add(t, bandwidth(storetest.Upload, 4000))
		at := s.backup(t)
		at.moves(t, 9<<20)
		s.proxy.Add(t, hang(storetest.Upload), hang(storetest.Download))
		err := at.ends(t, patience)
		if err == nil {
			t.Error("the backup ended well over connections on which nothing moved")
		}
		s.clear(t, err, providers.TimedOut, providers.Unreachable)
		s.again(t)
	})
}

// The server falls silent in the middle of a download.
func TestToxicHangingDownload(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(24, 1)
		s.backup(t).succeeds(t)
		s.hurry(t, 5*time.Second)
		s.proxy.Add(t, bandwidth(storetest.Download, 4000))
		dir := filepath.Join(t.TempDir(), "r")
		at := s.restore(t, dir)
		at.moves(t, 2<<20)
		s.proxy.Add(t, hang(storetest.Upload), hang(storetest.Download))
		err := at.ends(t, patience)
		if err == nil {
			t.Error("the restore ended well over connections on which nothing moved")
		}
		s.clear(t, err, providers.TimedOut, providers.Unreachable)
		s.proxy.Heal(t)
		s.restoredAgain(t, dir, err)
		s.again(t)
	})
}

// Nothing moves for a while, but not longer than the timeout, and no connection is lost: the
// operation succeeds.
func TestToxicStall(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(24, 1)
		s.proxy.Add(t, bandwidth(storetest.Upload, 8000))
		at := s.backup(t)
		at.moves(t, 9<<20)
		s.proxy.Add(t, latency(storetest.Upload, 3_600_000, 0))
		if at.over(2 * time.Second) {
			t.Errorf("the backup ended while nothing moved: %v", at.err)
		}
		s.proxy.Change(t, latency(storetest.Upload, 0, 0))
		at.succeeds(t)
		s.again(t)
	})
}

// Each connection ends after a stretch of answers: the missing bytes are requested again.
func TestToxicCutDownloads(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(10, 1)
		s.backup(t).succeeds(t)
		s.proxy.Add(t, cut(storetest.Download, 3<<20/2), sliced(storetest.Download, 16<<10))
		dir := filepath.Join(t.TempDir(), "r")
		s.restore(t, dir).succeeds(t)
		compare(t, dir, s.db.files)
		s.verify(t).succeeds(t)
		s.again(t)
	})
}

// Some connections break at once, others give no answer: a large upload in parts ends
// well or is completed by the next run.
func TestToxicLostAnswers(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(24, 1, 1)
		lost, broken := cut(storetest.Download, 0), reset(storetest.Upload)
		lost.Toxicity, broken.Toxicity = 0.2, 0.2
		s.proxy.Add(t, lost, broken)
		s.clear(t, s.backup(t).ends(t, patience))
		s.uploads = nil // one whose very id was lost is left to the service's clean-up
		s.again(t)
	})
}

// silenced announces each Put before it begins, and waits for leave.
type silenced struct {
	store.Store
	puts  chan string
	leave chan struct{}
}

func (s *silenced) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	s.puts <- key
	<-s.leave
	return s.Store.Put(ctx, key, body, sums)
}

// The answer to every Put of a backup is lost after the server has applied it: each is
// found to be ours, and so is the snapshot.
func TestToxicAnswersToPutsLost(t *testing.T) {
	t.Parallel()
	onShaky(t, func(t *testing.T, s *shaky) {
		s.db.fill(20, 5_000) // one bundle
		q := &silenced{s.through, make(chan string), make(chan struct{})}
		s.through = q
		at := s.begin(t, "backup", func(ctx context.Context, _ *archive.Archive, at *attempt) (err error) {
			a := archive.New(q, archive.Options{Transfers: 1})
			at.res, err = a.Backup(ctx, s.db.source(), options)
			return err
		})
		noAnswers := cut(storetest.Download, 0)
		var lost []string
		for ended := false; !ended; {
			select {
			case key := <-q.puts:
				s.proxy.Add(t, noAnswers)
				q.leave <- struct{}{}
				var err error
				storetest.Eventually(t, "the server has "+key, func() bool {
					_, err = s.straight.Stat(t.Context(), key)
					return err == nil
				}, func() string { return err.Error() })
				s.proxy.Remove(t, noAnswers)
				lost = append(lost, key)
			case <-at.done:
				ended = true
			case <-time.After(patience):
				t.Fatalf("no end after %q", lost)
			}
		}
		at.succeeds(t)
		for _, kind := range []string{manifest.ArchiveKey, manifest.BundlesPrefix, manifest.DataPrefix, manifest.ManifestsPrefix} {
			if !slices.ContainsFunc(lost, func(key string) bool { return strings.HasPrefix(key, kind) }) {
				t.Errorf("no answer for %s was lost, only those for %q", kind, lost)
			}
		}
		if !at.res.Committed || at.res.Snapshot.Sequence != 1 {
			t.Errorf("it made %+v", at.res.Snapshot)
		}
		if n := s.sound(t); n != 1 {
			t.Errorf("%d snapshots, want 1", n)
		}
	})
}

// The network goes away in the middle of a backup for some seconds, and in a soak for half a
// minute.
func TestToxicOutage(t *testing.T) {
	t.Parallel()
	outage := 4 * time.Second
	if soaktest.IsFull(t) {
		outage = 30 * time.Second
	}
	soaktest.Rounds(t, 0, 1, func(t *testing.T, seed uint64) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { networkGone(t, outage) }) // ends when all servers have
	})
}

func networkGone(t *testing.T, outage time.Duration) {
	onShaky(t, func(t *testing.T, s *shaky) {
		s.fill(24, 1)
		s.proxy.Add(t, bandwidth(storetest.Upload, 8000))
		at := s.backup(t)
		at.moves(t, 9<<20)
		s.proxy.Down(t)
		back := time.After(outage)
		if at.over(outage / 2) {
			s.clear(t, at.err, providers.Unreachable)
			during := s.backup(t)
			if during.over(outage / 3) {
				s.clear(t, during.err, providers.Unreachable)
				if during.err == nil {
					t.Error("a backup ended well without a network")
				}
			} else {
				at = during
			}
		}
		<-back
		s.proxy.Up(t)
		s.clear(t, at.ends(t, patience))
		s.again(t)
	})
}
