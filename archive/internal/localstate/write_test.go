package localstate

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Each write would otherwise list the state of all archives: a service with 2,000 of them would do little else.
func TestSweepIsDueOnceAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for hour := range 3 {
			for i, want := range []bool{true, false, false} {
				if got := isSweepDue(dir); got != want {
					t.Errorf("hour %d, write %d: %v", hour, i, got)
				}
			}
			time.Sleep(tempAge + time.Second)
		}
	})
}

// After a disaster root restores on the host of the service, with its state directory. The service's user must still be
// able to read each file there: with one that it cannot read it makes no backup.
func TestFilesBelongToTheOwnerOfTheDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to another user")
	}
	const user, group = 12345, 12346
	dir, id := t.TempDir(), strings.Repeat("a", 32)
	if err := os.Chown(dir, user, group); err != nil {
		t.Skip("the file system has no owners: ", err)
	}
	s := &State{Dir: dir, Place: "s3://b"}
	_, err := s.MakeWriter()
	sealed, sealedErr := openToAppend(dir, filepath.Join(dir, "sealed"))
	if sealedErr == nil {
		sealedErr = sealed.Close()
	}
	for what, err := range map[string]error{
		"writer": err, "sealed": sealedErr, "place": s.SavePlace(id), "tried": s.SaveTried(id, manifest.Ref{Sequence: 1}),
		"rate": s.AddRate(id, cost.Measurement{Kind: cost.Restore, Files: 1, Bytes: 1, MS: 1}),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	files := 0
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != user || st.Gid != group {
			t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
		}
		files++
		return nil
	})
	if err != nil || files != 6 {
		t.Errorf("%d files, %v", files, err)
	}
}

// A file of rates that root wrote once, and that this user may not read, is replaced: else this host never measures
// again.
func TestUnreadableRatesAreReplaced(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read every file")
	}
	s, id := &State{Dir: t.TempDir(), Place: "s3://b"}, strings.Repeat("a", 32)
	if err := os.WriteFile(s.ratesPath(id), []byte("{}"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LoadRates(id); err == nil {
		t.Error("it can be read")
	}
	if err := s.AddRate(id, cost.Measurement{Kind: cost.Restore, Files: 1, Bytes: 1, MS: 1}); err != nil {
		t.Fatal(err)
	}
	if all, err := s.LoadRates(id); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}
