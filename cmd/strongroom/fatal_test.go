package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func destinations() []destination {
	return []destination{
		{"file", func(t *testing.T) string {
			dir := strings.ReplaceAll(t.TempDir(), "#", "%23") // a second round of a test has # in its name
			return "file://" + filepath.Join(dir, "archive")
		}},
		{"minio", func(t *testing.T) string { return storetest.S3(t) }},
	}
}

// clouds are the other destinations. Their emulators keep everything in memory: a transfer that was
// tested at the first ones need not be killed there, too.
func clouds() []destination {
	return append(destinations(),
		destination{"minio over TLS", func(t *testing.T) string { return storetest.NewS3TLS(t).URL }},
		destination{"azurite", func(t *testing.T) string { return storetest.Azure(t) }},
		destination{"fake-gcs", func(t *testing.T) string { return storetest.GCS(t) }},
	)
}

// logDir makes closed log files of a size each; the last one stays open until another follows.
func logDir(t testing.TB, dir string, from, to, size int) {
	t.Helper()
	random := rand.NewChaCha8([32]byte{byte(from), byte(to)})
	previous := uint32(0)
	if before, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%08x.jdb", from-1))); err == nil {
		previous = uint32(entriestest.Read(je.NewReader, int64(from-1), before).Last)
	}
	for n := from; n < to; n++ {
		log := entriestest.NewJE(6, uint32(n), previous).Fill(size, random)
		previous = log.Last
		if err := writeLog(filepath.Join(dir, fmt.Sprintf("%08x.jdb", n)), log.Bytes); err != nil {
			t.Fatal(err)
		}
	}
}

func sameDir(t testing.TB, got, want string) {
	t.Helper()
	files, err := os.ReadDir(want)
	if err != nil {
		t.Fatal(err)
	}
	there, err := os.ReadDir(got)
	if err != nil {
		t.Fatal(err)
	}
	if len(there) != len(files) {
		t.Fatalf("%s has %d files, want %d", got, len(there), len(files))
	}
	for _, f := range files {
		a, err1 := os.ReadFile(filepath.Join(want, f.Name()))
		b, err2 := os.ReadFile(filepath.Join(got, f.Name()))
		if err1 != nil || err2 != nil || string(a) != string(b) {
			t.Fatalf("%s came back different (%v, %v)", f.Name(), err1, err2)
		}
	}
}

// killed runs the program and kills it after a random time; false if it ended before.
func killed(t testing.TB, longest time.Duration, args ...string) bool {
	t.Helper()
	c := program(t, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(rand.N(longest), func() { c.Process.Kill() })
	err := c.Wait()
	timer.Stop()
	return err != nil
}

// The program is killed at random moments while it backs up: after each, the archive holds the
// files that its snapshots list, and a rerun succeeds. Then it is killed while it restores: the
// target does not exist, or is complete, and a rerun completes it.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	whole(t)
	soaktest.Rounds(t, 0, 1, func(t *testing.T, seed uint64) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { killAtRandom(t, 15) }) // ends when all destinations have
	})
}

// killAtRandom kills manyKills backups and as many restores at each destination.
func killAtRandom(t *testing.T, manyKills int) {
	for _, d := range destinations() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			db := t.TempDir()
			kills, snapshots, files := 0, 0, 0
			longest := 100 * time.Millisecond
			for round := 0; kills < manyKills; round++ {
				logDir(t, db, files, files+12, 300_000)
				files += 12
				for killed(t, longest, "backup", "--source", db, "--layout", "je", "--node", "n", url) && kills < manyKills {
					kills++
					if o := finish(t, program(t, "verify", url)); o.code != exitDone && (o.code != exitNotFound || snapshots > 0) {
						t.Fatalf("after kill %d: exit code %d\n%s%s", kills, o.code, o.stdout, o.stderr)
					}
				}
				start := time.Now()
				succeed(t, "backup", "--source", db, "--layout", "je", "--node", "n", url)
				longest = max(longest/2, min(2*longest, time.Since(start)))
				n := listedSnapshots(t, url)
				if n < snapshots {
					t.Fatalf("%d snapshots after %d", n, snapshots)
				}
				snapshots = n
				if round > 20*manyKills {
					t.Fatal("the program is never hit")
				}
			}
			succeed(t, "verify", "--read-data", url)
			killsOfRestores(t, url, db, manyKills)
			soaktest.Count(t, "kills", int64(2*manyKills))
		})
	}
}

type summaryOnly struct {
	Sequence int64  `json:"sequence"`
	State    string `json:"state"`
}

// listedSnapshots counts the snapshots and checks that each can be read.
func listedSnapshots(t testing.TB, url string) int {
	t.Helper()
	var list []summaryOnly
	if err := json.Unmarshal([]byte(succeed(t, "list", "--json", url).stdout), &list); err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.State != "ok" {
			t.Fatalf("snapshot %d is %s", s.Sequence, s.State)
		}
	}
	return len(list)
}

func killsOfRestores(t *testing.T, url, db string, manyKills int) {
	kills, longest := 0, 100*time.Millisecond
	for round := 0; kills < manyKills; round++ {
		to := filepath.Join(t.TempDir(), "restored")
		for kills < manyKills && killed(t, longest, "restore", url, "--to", to) {
			kills++
			if _, err := os.Stat(to); err == nil { // killed after all was done
				sameDir(t, to, db)
				break
			}
		}
		start := time.Now()
		succeed(t, "restore", url, "--to", to)
		longest = max(longest/2, min(2*longest, time.Since(start)))
		sameDir(t, to, db)
		os.RemoveAll(to)
		if round > 20*manyKills {
			t.Fatal("the program is never hit")
		}
	}
}

// Eight processes back up to one archive at once: every number is taken once, and every
// snapshot restores.
func TestEightProcesses(t *testing.T) {
	t.Parallel()
	whole(t)
	for _, d := range destinations() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			db := t.TempDir()
			logDir(t, db, 0, 10, 50_000)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if o := finish(t, program(t, "backup", "--force", "--source", db, "--node", "n", url)); o.code != 0 {
						t.Errorf("exit code %d: %s", o.code, o.stderr)
					}
				})
			}
			wg.Wait()
			if n := listedSnapshots(t, url); n != 8 {
				t.Fatalf("%d snapshots", n)
			}
			for s := 1; s <= 8; s++ {
				to := filepath.Join(t.TempDir(), "r")
				succeed(t, "restore", fmt.Sprintf("%s@%d", url, s), "--to", to)
				sameDir(t, to, db)
			}
			succeed(t, "verify", "--read-data", url)
		})
	}
}

// Backing up one file of 256 MiB, and in a soak of 2 GiB, takes no more memory than one of
// 64 KiB, within 32 MiB, and less than 96 MiB.
func TestMemory(t *testing.T) {
	whole(t)
	mib := 256
	if soaktest.IsFull(t) {
		mib = 2 << 10
	}
	soaktest.Rounds(t, 0, 1, func(t *testing.T, _ uint64) { measureMemory(t, mib) })
}

func measureMemory(t *testing.T, mib int) {
	small, large := t.TempDir(), t.TempDir()
	logDir(t, small, 0, 1, 64<<10)
	f, err := os.Create(filepath.Join(large, "00000000.jdb"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	log := entriestest.NewJE(6, 0, 0)
	for range mib {
		random.Read(block)
		log.Add(entriestest.JERecord, block)
		if _, err := f.Write(log.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, d := range destinations() {
		t.Run(d.name, func(t *testing.T) {
			url := d.url(t)
			forgetPeak(t)
			one := succeed(t, "backup", "--source", small, d.url(t)).peak
			two := succeed(t, "backup", "--source", large, url).peak
			t.Logf("64 KiB: %s, %d MiB: %s", size(one), mib, size(two))
			if two > 96<<20 || two-one > 32<<20 {
				t.Errorf("%d MiB took %s and 64 KiB %s", mib, size(two), size(one))
			}
			to := filepath.Join(t.TempDir(), "r")
			back := succeed(t, "restore", url, "--to", to).peak
			t.Logf("restoring: %s", size(back))
			if back > 96<<20 {
				t.Errorf("restoring %d MiB took %s", mib, size(back))
			}
			os.RemoveAll(to)
		})
	}
}

// keysAt lists what lies at a URL, as far as that is possible.
func keysAt(ctx context.Context, url string) (keys []string) {
	b, err := providers.Open(ctx, url, providers.Options{})
	if err != nil {
		return nil
	}
	defer b.Close()
	for o, err := range b.List(ctx, "", "", "") {
		if err != nil {
			break
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// SIGINT while the program sends ends it with code 130, and leaves nothing half-done.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	whole(t)
	for _, d := range destinations() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			db := t.TempDir()
			logDir(t, db, 0, 12, 20<<20)
			c := program(t, "backup", "--source", db, url)
			ended := make(chan struct{})
			go func() { // once it has begun to send
				for len(keysAt(t.Context(), url)) == 0 {
					select {
					case <-ended:
						return
					case <-time.After(20 * time.Millisecond):
					}
				}
				c.Process.Signal(os.Interrupt)
			}()
			o := finish(t, c)
			close(ended)
			if o.code != exitInterrupted && o.code != 0 {
				t.Fatalf("exit code %d: %s", o.code, o.stderr)
			}
			succeed(t, "backup", "--source", db, url)
			succeed(t, "verify", "--read-data", url)
		})
	}
}
