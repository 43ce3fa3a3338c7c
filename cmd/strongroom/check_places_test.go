package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// A spoiledPlace is something in a directory with an archive that keeps a backup, or only a check, from its work.
type spoiledPlace struct {
	what  string
	isNew bool // no backup was made before
	fails bool // a backup fails, and so must a check
	whole bool // the whole command check is run, which takes a second
	spoil func() error
}

func chmod(name string, mode os.FileMode) func() error {
	return func() error { return os.Chmod(name, mode) }
}

func mkdir(name string, mode os.FileMode) func() error {
	return func() error { return errors.Join(os.MkdirAll(name, 0o700), os.Chmod(name, mode)) }
}

func touch(name, text string) func() error {
	return func() error {
		return errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600))
	}
}

func link(to, name string) func() error { return func() error { return os.Symlink(to, name) } }

func socket(name string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	return l.Close()
}

// spoiledPlaces are named relative to the archive's directory.
var spoiledPlaces = []spoiledPlace{
	{what: "nothing", spoil: func() error { return nil }},
	{what: "a file for a log file's directory", fails: true, whole: true, spoil: touch("data/4.log", "")},
	{what: "a pipe for it", fails: true, spoil: func() error { return syscall.Mkfifo("data/4.log", 0o600) }},
	{what: "a socket for it", fails: true, spoil: func() error { return socket("data/4.log") }},
	{what: "a link in a circle", fails: true, spoil: link("4.log", "data/4.log")},
	{what: "a link to another log file", fails: true, spoil: link("3.log", "data/4.log")},
	{what: "a link out", fails: true, spoil: link("/", "data/4.log")},
	{what: "the directory cannot be written to", fails: true, spoil: mkdir("data/4.log", 0o500)},
	{what: "it cannot be read", fails: true, spoil: mkdir("data/4.log", 0o300)},
	{what: "that of another log file cannot be read", fails: true, spoil: mkdir("data/33.log", 0)},
	{what: "data cannot be written to", fails: true, whole: true, spoil: chmod("data", 0o500)},
	{what: "data cannot be read", fails: true, spoil: chmod("data", 0o300)},
	{what: "new data cannot be written to", isNew: true, fails: true, spoil: mkdir("data", 0o500)},
	{what: "manifests cannot be written to", fails: true, spoil: chmod("manifests/000/000", 0o500)},
	{what: "new manifests cannot be written to", isNew: true, fails: true, spoil: mkdir("manifests", 0o500)},
	{what: "bundles cannot be written to, and none is made", spoil: mkdir("bundles", 0o500)},
	{what: "bundles is a file", fails: true, spoil: touch("bundles", "")},
	{what: "pages cannot be written to, and none is made", spoil: mkdir("pages", 0o500)},
	{what: "the ledger cannot be written to", spoil: mkdir("ledger", 0o500)},
	{what: "the temporary files have no place", fails: true, spoil: chmod(".~strongroom", 0o500)},
	{what: "the top cannot be written to, and nothing is made there", whole: true, spoil: chmod(".", 0o500)},
	{what: "a new archive's top cannot be written to", isNew: true, fails: true, spoil: chmod(".", 0o500)},
	{what: "probe is a file", whole: true, spoil: touch("probe", "")},
	{what: "probe is a socket", spoil: func() error { return socket("probe") }},
	{what: "probe is a link", whole: true, spoil: link("data", "probe")},
	{what: "probe is a link out", whole: true, spoil: link("/", "probe")},
	{what: "probe cannot be written to", whole: true, spoil: mkdir("probe", 0o500)},
	{what: "proofs is a file", whole: true, spoil: touch("proofs", "")},
	{what: "proofs is a link", fails: true, spoil: link("data", "proofs")},
	{what: "proofs cannot be written to", spoil: mkdir("proofs", 0o500)},
	{what: "proofs cannot be read", fails: true, spoil: mkdir("proofs", 0)},
	{what: "archive.json is garbage", whole: true, spoil: touch("archive.json", "x")},
	{what: "archive.json is garbage, and nothing else is there", isNew: true, whole: true, spoil: touch("archive.json", "x")},
	{what: "archive.json and the only manifest are garbage", fails: true, spoil: func() error {
		return errors.Join(touch("archive.json", "x")(), os.Remove("manifests/000/000/001.json"), touch("manifests/000/000/001.json", "x")())
	}},
	{what: "archive.json cannot be read", fails: true, spoil: chmod("archive.json", 0)},
	{what: "the newest manifest cannot be read", fails: true, spoil: chmod("manifests/000/000/001.json", 0)},
	{what: "a directory of another program cannot be read", spoil: mkdir("lost+found", 0)},
}

// A check that reports ready before a backup that fails is found out when the log files are gone. One that fails where
// backups work teaches an operator to ignore it.
func TestCheckAgreesWithBackups(t *testing.T) {
	if asAnotherUser(t) { // root may write anywhere
		return
	}
	home := t.TempDir()
	t.Setenv("STRONGROOM_STATE_DIR", filepath.Join(home, "state"))
	for _, c := range spoiledPlaces {
		t.Run(c.what, func(t *testing.T) {
			db, to := t.TempDir(), t.TempDir()
			grow := func(names ...string) {
				then := time.Now().Add(-time.Hour)
				for _, name := range names {
					name = filepath.Join(db, name)
					if err := errors.Join(os.WriteFile(name, []byte(name), 0o600), os.Chtimes(name, then, then)); err != nil {
						t.Fatal(err)
					}
				}
			}
			flags := []string{"--layout", "segments", "--pattern", `([0-9]+)\.log`, "--source", db, "file://" + to}
			grow("1.log", "2.log", "3.log")
			if !c.isNew {
				if code, output := runIn(append([]string{"backup"}, flags...)...); code != exitDone {
					t.Fatalf("before: exit code %d: %s", code, output)
				}
			}
			grow("4.log", "5.log")
			t.Chdir(to) // a socket's path is short
			if err := c.spoil(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { makeWritable(to) })
			isReady, found := planBackup(t, db, "file://"+to)
			if c.whole {
				var code int
				code, found = runIn(append(quickly("check"), flags...)...)
				isReady = code == exitDone
			}
			code, output := runIn(append([]string{"backup"}, flags...)...)
			if isReady == c.fails || (code != exitDone) != c.fails {
				t.Errorf("a check is content: %v: %s\nbackup: exit code %d: %s", isReady, found, code, output)
			}
		})
	}
}

// makeWritable lets the directories of an archive be removed.
func makeWritable(dir string) {
	_ = os.Chmod(dir, 0o700)
	all, _ := filepath.Glob(filepath.Join(dir, "*"))
	deeper, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	for _, name := range append(all, append(deeper, filepath.Join(dir, ".~strongroom"), filepath.Join(dir, "manifests/000/000"))...) {
		if info, err := os.Lstat(name); err == nil && info.IsDir() {
			_ = os.Chmod(name, 0o700)
		}
	}
}

// planBackup does what check does before its probes, which take a second.
func planBackup(t *testing.T, db, url string) (isReady bool, found string) {
	t.Helper()
	bucket, err := providers.Open(t.Context(), url, providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	a := archive.New(bucket, archive.Options{State: witness("", url)})
	f, _ := a.Preflight(t.Context())
	if f.Result == storecheck.Failed {
		return false, f.Detail
	}
	j, err := adHoc(&backupFlags{dir: db, layout: source.LayoutOptions{Name: "segments", Pattern: `([0-9]+)\.log`}}, url)
	if err != nil {
		t.Fatal(err)
	}
	src, err := j.openSource()
	if err != nil {
		t.Fatal(err)
	}
	o := j.o
	o.DryRun, o.TestPlaces = true, true
	if _, err := a.Backup(t.Context(), src, o); err != nil {
		return false, err.Error()
	}
	return true, f.Detail
}

// A plan that cannot be carried out fails without a trial, too: something lies in the place of a log file's directory.
func TestDryRunFindsWhatIsInTheWay(t *testing.T) {
	dir, db := t.TempDir(), logs(t)
	t.Setenv("STRONGROOM_STATE_DIR", filepath.Join(dir, "state"))
	to := filepath.Join(dir, "archive")
	names, err := os.ReadDir(db)
	if err != nil || len(names) == 0 {
		t.Fatal(err)
	}
	at := filepath.Join(to, "data", names[0].Name())
	if err := touch(at, "")(); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"backup", "--dry-run", "--source", db, "file://" + to}, &out, &errs); code != exitFailed ||
		!strings.Contains(errs.String(), at+" is a file") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}
