package localstate

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

const anID = "01234567-89ab-4cde-8f01-23456789abcd"

// loaders read each kind of file.
func loaders(s *State) map[string]func() error {
	ref := manifest.Ref{Sequence: 7, SHA256: manifest.Sum([]byte("7"))}
	return map[string]func() error{
		s.placePath():      func() error { _, err := s.AtPlace(); return err },
		s.PinPath(anID):    func() error { _, _, err := s.LoadPin(anID); return err },
		s.sourcePath(anID): func() error { _, err := s.LoadSource(anID); return err },
		s.stampsPath(anID): func() error { _, err := s.LoadStamps(anID); return err },
		s.ratesPath(anID):  func() error { _, err := s.LoadRates(anID); return err },
		s.proofsPath(anID): func() error { _, err := s.LoadProofNotes(anID); return err },
		s.triedPath(anID):  func() error { _, err := s.HasTried(anID, ref); return err },
		s.writerPath():     func() error { _, err := s.Writer(); return err },
		s.sealedPath(anID): func() error { return (&SealedRecords{state: s}).load(s.sealedPath(anID)) },
	}
}

// A file that another program made huge, such as with a hole of a terabyte, takes neither memory nor time. The error
// names the file and what to do.
func TestHugeFilesAreNotRead(t *testing.T) {
	s := &State{Dir: t.TempDir(), Place: "s3://b"}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for file, load := range loaders(s) {
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, 1<<40)); err != nil {
			t.Skipf("no file with a hole can be made: %v", err)
		}
		err := load()
		if !errors.Is(err, disk.ErrTooLarge) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "delete it") {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("reading them took %d bytes of memory", took)
	}
}

// A limit that the program's own files could exceed would cost what this host remembers.
func TestLimitsFitWhatIsWritten(t *testing.T) {
	t.Parallel()
	place := "s3://b/" + strings.Repeat("\x01", 4096)
	s := &State{Dir: t.TempDir(), Place: place}
	if err := s.SavePlace(anID); err != nil {
		t.Error(err)
	}
	if id, err := s.AtPlace(); id != anID || err != nil {
		t.Errorf("%s, %v", id, err)
	}
	for range 2 * cost.MaxMeasurements {
		m := cost.Measurement{At: time.Now(), Host: strings.Repeat("\x01", 255), Files: 1 << 60, Bytes: 1 << 60, MS: 1 << 60}
		if err := s.AddRate(anID, m); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.LoadRates(anID); len(all) != cost.MaxMeasurements || err != nil {
		t.Errorf("%d, %v", len(all), err)
	}
	var last manifest.Ref
	for n := range int64(2 * fullTriedBytes / 80) {
		last = manifest.Ref{Sequence: manifest.MaxSequence - n, SHA256: manifest.Sum([]byte("x"))}
		if err := s.SaveTried(anID, last); err != nil {
			t.Fatal(err)
		}
	}
	if has, err := s.HasTried(anID, last); !has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	if err := s.write(s.writerPath(), make([]byte, maxWriterBytes+1), maxWriterBytes); !errors.Is(err, disk.ErrTooLarge) {
		t.Errorf("a file that no read would accept was written: %v", err)
	}
}

// What this host remembers may be behind what is in the place of its directory, such as a link to a disk that is not
// mounted. So it does not count as missing. Below something that is no directory, nothing was ever remembered.
func TestStateDirectoryIsNoDirectory(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "state") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in := func(name string) string { return filepath.Join(dir, name) }
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: in("socket"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	err = errors.Join(os.WriteFile(in("file"), nil, 0o600), syscall.Mkfifo(in("pipe"), 0o600),
		os.Symlink("file", in("link")), os.Symlink("nothing", in("dangling")))
	if err != nil {
		t.Fatal(err)
	}
	for name, isUnread := range map[string]bool{
		"file": true, "pipe": true, "socket": true, "link": true, "dangling": true, "dangling/below/it": true,
		"file/below": false, "pipe/below/it": false, "missing": false,
	} {
		for file, load := range loaders(&State{Dir: in(name), Place: "s3://b"}) {
			err := load()
			if errors.Is(err, ErrUnread) != isUnread || !isUnread && err != nil {
				t.Errorf("%s: %s: %v", name, filepath.Base(file), err)
			}
			if isUnread && (!strings.Contains(err.Error(), in(strings.Split(name, "/")[0])+" is a") ||
				!strings.Contains(err.Error(), "use another directory")) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
