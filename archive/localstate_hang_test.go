package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// hanging is a disk that does not respond.
type hanging struct{ responds chan struct{} }

func (h hanging) Change(_ *disk.Op, do func() error) error {
	<-h.responds
	return do()
}

// While the disk of the local state hangs, each operation ends within a bounded time. Those that the guards protect fail:
// without the local state, a replaced archive would seem to be the right one. A restore goes on. Later, all is as before.
func TestLocalStateHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db, state, objects := newDatabase(t, t.TempDir(), 1), t.TempDir(), storetest.Memory(t)
		db.fill(2, 100)
		var log bytes.Buffer
		open := func() *archive.Archive {
			return archive.New(objects, archive.Options{
				State: &archive.LocalState{Dir: state, Place: "mem://a"}, Log: slog.New(slog.NewTextHandler(&log, nil)),
			})
		}
		mustBackup(t, open(), db)
		db.flip(100)
		want := maps.Clone(db.files)
		operations := map[string]func(a *archive.Archive) error{
			"backup": func(a *archive.Archive) error {
				_, err := a.Backup(t.Context(), db.source(), options)
				return err
			},
			"verify": func(a *archive.Archive) error {
				_, err := a.Verify(t.Context(), archive.VerifyOptions{})
				return err
			},
			"prune": func(a *archive.Archive) error {
				_, err := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 9}})
				return err
			},
			"newest": func(a *archive.Archive) error {
				_, err := a.Newest(t.Context())
				return err
			},
		}
		h := hanging{make(chan struct{})}
		stop := disk.Observe(state, h)
		for name, do := range operations {
			start := time.Now()
			if err := do(open()); !errors.Is(err, disk.ErrHangs) || !strings.Contains(err.Error(), "another directory") {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(start); took > time.Minute {
				t.Errorf("%s took %v", name, took)
			}
		}
		start := time.Now()
		m, err := open().Snapshot(t.Context(), archive.Selector{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open().Restore(context.Background(), m, filepath.Join(t.TempDir(), "x"), archive.RestoreOptions{}); err != nil {
			t.Errorf("restore: %v", err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("a restore took %v", took)
		}
		if !strings.Contains(log.String(), "was not compared with what this host remembers") {
			t.Errorf("the log lacks that nothing was compared: %s", log.String())
		}
		close(h.responds)
		stop()
		synctest.Wait()
		for name, do := range operations {
			if err := do(open()); err != nil {
				t.Errorf("%s, once the disk responds: %v", name, err)
			}
		}
		mustBackup(t, open(), db)
		mustRestore(t, open(), 2, filepath.Join(t.TempDir(), "y"), want)
	})
}

// What a run writes last cannot hang either: the disk may stop to respond in the middle.
func TestLocalStateHangsInARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db, state := newDatabase(t, t.TempDir(), 1), t.TempDir()
		db.fill(2, 100)
		h := hanging{make(chan struct{})}
		a := archive.New(storetest.Memory(t), archive.Options{State: &archive.LocalState{Dir: state, Place: "mem://a"}})
		mustBackup(t, a, db)
		db.flip(100)
		start := time.Now()
		defer disk.Observe(state, writesHang{h})()
		res, err := a.Backup(t.Context(), db.source(), options)
		if err != nil || !res.Committed {
			t.Errorf("%+v, %v", res, err)
		}
		if took := time.Since(start); took > 2*time.Minute {
			t.Errorf("it took %v", took)
		}
		close(h.responds)
		synctest.Wait()
	})
}

// writesHang is a disk that responds to reads alone.
type writesHang struct{ hanging }

func (h writesHang) Change(op *disk.Op, do func() error) error {
	if op.Kind == disk.Open && op.Flag&(os.O_WRONLY|os.O_RDWR) == 0 {
		return do()
	}
	return h.hanging.Change(op, do)
}

// denying is the local state of another user.
type denying struct{}

func (denying) Change(*disk.Op, func() error) error { return syscall.EACCES }

// A verify and a copy from an archive need not run as the service's user. They log once that they compare nothing with the
// local state, and check all else. What changes the archive is refused.
func TestLocalStateOfAnotherUser(t *testing.T) {
	t.Parallel()
	db, state, objects := newDatabase(t, t.TempDir(), 1), t.TempDir(), storetest.Memory(t)
	db.fill(2, 100)
	var log bytes.Buffer
	open := func() *archive.Archive {
		return archive.New(objects, archive.Options{
			State: &archive.LocalState{Dir: state, Place: "mem://a"}, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
	}
	mustBackup(t, open(), db)
	mustVerify(t, open())
	defer disk.Observe(state, denying{})()
	for name, do := range map[string]func() error{
		"verify": func() error {
			report, err := open().Verify(t.Context(), archive.VerifyOptions{})
			if err == nil && len(report.Problems) > 0 {
				err = fmt.Errorf("%+v", report.Problems)
			}
			return err
		},
		"copy": func() error {
			to := archive.New(storetest.Memory(t), archive.Options{})
			report, err := archive.Copy(t.Context(), open(), to, archive.CopyOptions{})
			if err == nil && len(report.Snapshots) != 1 {
				err = fmt.Errorf("%+v", report)
			}
			return err
		},
	} {
		log.Reset()
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := strings.Count(log.String(), "was not compared with what this host remembers"); n != 1 {
			t.Errorf("%s logs %d times that it compared nothing: %s", name, n, &log)
		}
	}
	db.flip(100)
	if _, err := open().Backup(t.Context(), db.source(), options); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("backup: %v", err)
	}
	if _, err := open().Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 9}}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("prune: %v", err)
	}
	if _, err := open().Verify(t.Context(), archive.VerifyOptions{Repair: &archive.RepairFrom{}}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("repair: %v", err)
	}
}
