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

// aws stands in for the AWS command line: it reads the objects of a file:// archive.
const aws = `#!/bin/sh
if [ "$1 $2" = "s3 cp" ]; then
	shift 2
	[ "$1" = --quiet ] && shift
	[ "$2" = - ] && exec cat "$ARCHIVE/${1#s3://bucket/prefix/}"
	exec cp "$ARCHIVE/${1#s3://bucket/prefix/}" "$2"
fi
# s3api get-object --bucket bucket --key prefix/KEY --range bytes=FROM-TO FILE
[ "$1 $2 $3 $4 $5 $7" = "s3api get-object --bucket bucket --key --range" ] || { echo "unexpected: $*" >&2; exit 1; }
range=${8#bytes=}
tail -c +$((${range%-*} + 1)) "$ARCHIVE/${6#prefix/}" | head -c $((${range#*-} - ${range%-*} + 1)) >"$9"
`

// The script in docs/by-hand.md restores an archive with pages, bundles and a tail of
// several parts, without strongroom; also one without pages, compressed and encrypted.
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
		files := 20 // the script takes some processes for each
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
	page, err := os.ReadFile("../../docs/by-hand.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(page), "```sh\n")
	script, _, found := strings.Cut(script, "```")
	if !found {
		t.Fatal("docs/by-hand.md has no script")
	}
	script = strings.Replace(script, "archive=s3://backups/orders/node-1", "archive=s3://bucket/prefix", 1)
	script = strings.Replace(script, "number=000/000/042", "number=000/000/003", 1)
	script = strings.Replace(script, "identity= ", "identity="+key+" ", 1)
	if err := os.WriteFile(filepath.Join(work, "aws"), []byte(aws), 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("bash", "-euo", "pipefail", "-c", script)
	c.Dir = work
	c.Env = append(os.Environ(), "ARCHIVE="+archive, "PATH="+work+":"+os.Getenv("PATH"))
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all right") {
		t.Fatalf("%v\n%s", err, out)
	}
	sameDir(t, filepath.Join(work, "restored"), db)
}
