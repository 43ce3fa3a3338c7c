package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
)

// aws stands in for the AWS command line: it copies a file:// archive, and records that it was started.
const aws = `#!/bin/sh
echo "$*" >>"$0.log"
[ "$*" = "s3 sync --only-show-errors --exclude proofs/* s3://bucket/prefix archive" ] || { echo "unexpected: $*" >&2; exit 1; }
exec cp -R "$ARCHIVE" archive
`

// The command and the script in docs/by-hand.md restore an archive with pages, bundles and a tail of several
// parts, without strongroom; also one without pages, compressed and encrypted. The provider's command line is
// started once: started for each file, it took most of the time of a restore.
func TestRestoreByHand(t *testing.T) {
	t.Parallel()
	whole(t)
	for _, tool := range []string{"bash", "jq", "zstd", "sha256sum", "age"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%v: make test installs it", err)
		}
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key.txt")
	if err := os.WriteFile(key, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := []string{"--recipient", id.Recipient().String()}
	for how, flags := range map[string][]string{
		"as it is": nil, "compressed": {"--compression", "zstd"}, "encrypted": to, "both": append([]string{"--compression", "zstd"}, to...),
	} {
		files := 20 // enough for a bundle; the script takes a process or two for each
		if flags == nil {
			files = 252 // a manifest of this many files has pages
		}
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			restoreByHand(t, files, key, flags)
		})
	}
}

func restoreByHand(t *testing.T, files int, key string, flags []string) {
	db, archive, work := t.TempDir(), filepath.Join(t.TempDir(), "archive"), t.TempDir()
	logDir(t, db, 0, files, 3000)
	logDir(t, db, files, files+2, 300_000)
	path := func(n int) string { return filepath.Join(db, fmt.Sprintf("%08x.jdb", n)) }
	before, err := os.ReadFile(path(files + 1))
	if err != nil {
		t.Fatal(err)
	}
	tail := entriestest.NewJE(6, uint32(files+2), uint32(entriestest.Read(je.NewReader, int64(files+1), before).Last))
	for n := range 3 {
		tail.Add(entriestest.JERecord, fmt.Appendf(nil, "what was written for the %dth time", n))
		if err := writeLog(path(files+2), tail.Bytes); err != nil {
			t.Fatal(err)
		}
		succeed(t, append([]string{"backup", "--source", db, "file://" + archive}, flags...)...)
	}
	for _, kind := range []string{"bundles", "pages", "data"} {
		names, err := os.ReadDir(filepath.Join(archive, kind))
		if want := kind != "pages" || files > 250; (len(names) > 0) != want {
			t.Fatalf("the archive has %d %s (%v)", len(names), kind, err)
		}
	}
	if err := os.WriteFile(filepath.Join(work, "aws"), []byte(aws), 0o755); err != nil {
		t.Fatal(err)
	}
	byHand := func(script string) (string, error) {
		c := exec.Command("bash", "-c", script)
		c.Dir = work
		c.Env = append(os.Environ(), "ARCHIVE="+archive, "PATH="+work+":"+os.Getenv("PATH"))
		out, err := c.CombinedOutput()
		return string(out), err
	}
	sync, script := byHandBlocks(t)
	if out, err := byHand(sync); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script = strings.Replace(script, "number=000/000/042", "number=000/000/003", 1)
	script = strings.Replace(script, "identity= ", "identity="+key+" ", 1)
	if out, err := byHand(script); err != nil || !strings.HasSuffix(out, "all right\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	sameDir(t, filepath.Join(work, "restored"), db)
	if log, err := os.ReadFile(filepath.Join(work, "aws.log")); err != nil || strings.Count(string(log), "\n") != 1 {
		t.Errorf("the provider's command line was started for %q (%v)", log, err)
	}

	if files > 250 {
		return
	}
	// What the bucket has lost or changed is no success.
	script = strings.Replace(script, "to=restored", "to=again", 1)
	damageOne(t, filepath.Join(work, "archive", "data"))
	if out, err := byHand(script); err == nil || strings.Contains(out, "all right") {
		t.Errorf("a damaged archive was restored\n%s", out)
	}
}

// byHandBlocks returns the command that copies the archive, for a bucket of the test, and the script that restores
// from the copy.
func byHandBlocks(t *testing.T) (sync, script string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/by-hand.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, block := range strings.Split(string(page), "```sh\n")[1:] {
		code, _, _ := strings.Cut(block, "```")
		blocks = append(blocks, code)
	}
	if len(blocks) != 2 {
		t.Fatalf("docs/by-hand.md has %d blocks of shell, want the copy and the script", len(blocks))
	}
	return strings.Replace(blocks[0], "s3://backups/orders/node-1", "s3://bucket/prefix", 1), blocks[1]
}

// damageOne changes the last byte of one file below a directory.
func damageOne(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s has no objects (%v)", dir, err)
	}
	name := names[len(names)-1]
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A manifest that an attacker has written may name a file outside of the directory. The script writes nothing
// there.
func TestRestoreByHandRefusesNames(t *testing.T) {
	t.Parallel()
	whole(t)
	_, script := byHandBlocks(t)
	for _, name := range []string{"../outside.jdb", "/outside.jdb", "a/../../outside.jdb", "a//b", "."} {
		work := t.TempDir()
		manifests := filepath.Join(work, "archive", "manifests", "000", "000")
		if err := os.MkdirAll(manifests, 0o700); err != nil {
			t.Fatal(err)
		}
		m := fmt.Sprintf(`{"counts": {"files": 1}, "pages": null, "files": [{"name": %q, "sha256": "00", "parts":
			[{"object": "data/x", "encoding": "", "stored": {"size": 1}}]}]}`, name)
		if err := os.WriteFile(filepath.Join(manifests, "042.json"), []byte(m), 0o600); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("bash", "-c", script)
		c.Dir = work
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "no archive has such names") {
			t.Errorf("%q: %v\n%s", name, err, out)
		}
	}
}
