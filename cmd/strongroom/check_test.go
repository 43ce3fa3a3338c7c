package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Every kind of server passes every probe, and nothing stays behind.
func TestCheckOfServers(t *testing.T) {
	t.Parallel()
	whole(t)
	for _, d := range clouds() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			url := d.url(t)
			o := finish(t, program(t, "check", "--json", url))
			code := exitDone
			if d.name == "fake-gcs" { // it returns all rolled-up prefixes on the first page
				code = exitFailed
			}
			var reports []checkReport
			if err := json.Unmarshal([]byte(o.stdout), &reports); err != nil || o.code != code || len(reports) != 1 {
				t.Fatalf("exit code %d, %v: %s%s", o.code, err, o.stdout, o.stderr)
			}
			for _, f := range reports[0].Findings {
				note := d.name == "file" && f.Probe == "checksum echo" ||
					(strings.HasPrefix(d.name, "minio") || d.name == "fake-gcs") && f.Probe == "conditional delete"
				want := storecheck.Good
				switch {
				case note:
					want = storecheck.Note
				case d.name == "fake-gcs" && f.Probe == "order":
					want = storecheck.Failed
				}
				if f.Result != want {
					t.Errorf("%+v", f)
				}
			}
			if len(reports[0].Findings) != 15 {
				t.Errorf("%d findings", len(reports[0].Findings))
			}
			if o := finish(t, program(t, "list", url)); o.code != exitNotFound || !strings.Contains(o.stderr, "no archive") {
				t.Errorf("afterwards, list: exit code %d: %s%s", o.code, o.stdout, o.stderr)
			}
		})
	}
}

// With locks, one object shows that they hold, and all else is deleted again.
func TestCheckWithLocks(t *testing.T) {
	t.Parallel()
	whole(t)
	server := storetest.NewS3Locks(t)
	o := finish(t, program(t, "check", "--quick", server.URL+"&lock=GOVERNANCE&lock_for=1h&legal_hold=false"))
	if o.code != exitDone || !strings.Contains(o.stdout, "ok      object lock") || !strings.Contains(o.stdout, "ok      delete ") {
		t.Errorf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
	}
	left := server.Keys(t, store.ProbePrefix)
	if len(left) != 1 || !store.ProbesLock(left[0]) || !strings.Contains(o.stdout, left[0]) {
		t.Errorf("left are %q: %s", left, o.stdout)
	}
	if ids := server.Versions(t, left[0]); len(ids) != 1 {
		t.Errorf("%d versions of %s", len(ids), left[0])
	}
}

// A storage class that the service does not have, and locks that the bucket does not support, fail
// before a backup does.
func TestCheckTriesTheSettings(t *testing.T) {
	t.Parallel()
	whole(t)
	url := storetest.S3(t)
	for setting, want := range map[string]string{
		"storage_class=FOO":              "storage_class=",
		"lock=GOVERNANCE&lock_for=1h":    "object lock",
		"ssetype=aws:kms&kmskeyid=mykey": "KMS",
	} {
		o := finish(t, program(t, "check", "--quick", url+"&"+setting))
		if o.code != exitFailed || !strings.Contains(o.stdout, want) {
			t.Errorf("%s: exit code %d, want %q in: %s%s", setting, o.code, want, o.stdout, o.stderr)
		}
		if o := finish(t, program(t, "backup", "--source", logs(t), url+"&"+setting)); o.code != exitFailed || !strings.Contains(o.stderr, want) {
			t.Errorf("%s: backup: exit code %d, want %q in: %s", setting, o.code, want, o.stderr)
		}
	}
}

// quickly returns the words of a command. A check leaves out the listings of a thousand objects: TestCheckOfServers and
// TestScripts/check have them.
func quickly(command string) []string {
	if command == "check" {
		return []string{"check", "--quick"}
	}
	return []string{command}
}

// logs is a directory with a few log files.
func logs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	logDir(t, dir, 0, 3, 1000)
	return dir
}

// A name that a backup refuses is refused here, and shown without what it would do to a
// terminal.
func TestCheckNamesOfFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a\x1b[31mb.log", "a\nb.log", "a\\b.log", "a\xffb.log", "a\u0085b.log"} {
		dir := t.TempDir()
		if err := writeLog(filepath.Join(dir, name), []byte("content")); err != nil {
			t.Fatal(err)
		}
		url := "file://" + t.TempDir()
		layout := []string{"--source", dir, "--layout", "files", "--quiet", "5s", "--pattern", `(?s).*\.log`, url}
		for _, command := range []string{"check", "backup"} {
			var out, errs bytes.Buffer
			code := run(append(quickly(command), layout...), &out, &errs)
			output := out.String() + errs.String()
			if code == exitDone || !strings.Contains(output, "cannot be archived; rename it") {
				t.Errorf("%s of %q: exit code %d: %s", command, name, code, output)
			}
			if strings.Contains(output, name) && name != "a\\b.log" || strings.Contains(output, "\x1b") || !utf8.ValidString(output) {
				t.Errorf("%s of %q prints it as it is: %q", command, name, output)
			}
		}
	}
}

// Control characters are shown, and not sent to the terminal; everything else stays.
func TestHarmless(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a\x1b[31m\nb\tc":     "a\\x1b[31m\nb\tc",
		"Zürich → a\\b \"c\"": "Zürich → a\\b \"c\"",
		"\xff\u0085\x00":      `\xff\u0085\x00`,
	} {
		if got := sanitizeTerminal(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// Verify confirms what check reports of a provider's checksums.
func TestVerifyComparesChecksumsOfAzure(t *testing.T) {
	t.Parallel()
	whole(t)
	url := storetest.Azure(t)
	succeed(t, "backup", "--source", logs(t), url)
	if o := succeed(t, "verify", "--checksums", url); !strings.Contains(o.stdout, "3 objects compared; 0 have no checksum") {
		t.Errorf("%s", o.stdout)
	}
}
