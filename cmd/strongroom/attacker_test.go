package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

const (
	testRecipient = "age1w8g9czfak57jqakjf9ec64casw5t479fs6r8ndknkhv2tkls3e8safjgxz"
	testIdentity  = "AGE-SECRET-KEY-1MTET443QRQCRXFY3MRUHDDFQP8NZ9U62CDVFWCM6CWSPRS9HCYYQLQ6EA5\n"
)

// attacker may create objects, and do nothing else.
type attacker func(t *testing.T, key string, content []byte)

// onFiles creates files below an archive's directory.
func onFiles(dir string) attacker {
	return func(t *testing.T, key string, content []byte) {
		path := filepath.Join(dir, key)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// onServer has credentials that allow s3:PutObject alone.
func onServer(t *testing.T, server *storetest.Server) attacker {
	thief := assume(t, server, `{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::backups/*"}`)
	client := thief.client(t)
	_, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &server.Bucket})
	denied(t, "listing", err)
	return func(t *testing.T, key string, content []byte) {
		crc := binary.BigEndian.AppendUint32(nil, uint32(storetest.SumsOf(content).CRC32C))
		_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &server.Bucket, Key: sdk.String(server.Prefix + key), Body: bytes.NewReader(content), IfNoneMatch: sdk.String("*"),
			ChecksumCRC32C: sdk.String(base64.StdEncoding.EncodeToString(crc)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// objects are all that lies at a URL.
func objects(t *testing.T, url string) map[string][]byte {
	t.Helper()
	b, err := providers.Open(t.Context(), url, providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	all := map[string][]byte{}
	for o, err := range b.List(t.Context(), "", "", "") {
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.Get(t.Context(), o.Key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if all[o.Key], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	return all
}

// rehearse makes the next backup in a copy of the archive at a URL, and returns its objects under
// foreseeable keys.
func rehearse(t *testing.T, url string, backup []string) map[string][]byte {
	t.Helper()
	at := "file://" + t.TempDir() + "/rehearsal"
	b, err := providers.Open(t.Context(), at, providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	before := objects(t, url)
	for key, content := range before {
		if _, err := b.Put(context.Background(), key, bytes.NewReader(content), storetest.SumsOf(content)); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir() // with a state of its own
	configuration := filepath.Join(dir, "strongroom.yaml")
	if err := os.WriteFile(configuration, []byte("state_dir: "+dir+"\narchives:\n"+inDir("a", dir, dir+"/a", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	does(t, exitDone, slices.Concat([]string{"--config", configuration}, backup, []string{at})...)
	foreseen := map[string][]byte{}
	for key, content := range objects(t, at) {
		if _, ok := manifest.ParseObjectKey(key); ok && before[key] == nil {
			without, _ := manifest.CutNonce(key)
			foreseen[without] = content
		}
	}
	return foreseen
}

// does runs the program, which must end with a code, and returns what it printed.
func does(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(args, &out, &errs); got != code {
		t.Fatalf("strongroom %q: exit code %d, want %d\n%s%s", args, got, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// An attacker who may only create objects has created every key that the next backup would use,
// each with content of the right size and CRC-32C. The backup goes on without the identity and
// reports the foreign objects, every command agrees that all is well, and so it is.
func TestCreateOnlyAttacker(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) (string, attacker){
		"file": func(t *testing.T) (string, attacker) {
			dir := filepath.Join(t.TempDir(), "archive")
			return "file://" + dir, onFiles(dir)
		},
		"minio": func(t *testing.T) (string, attacker) {
			whole(t)
			server := storetest.NewS3(t)
			return server.URL, onServer(t, server)
		},
	} {
		for how, settings := range map[string][]string{
			"plain": nil, "compressed": {"--compression", "zstd"}, "encrypted": {"--compression", "zstd", "--recipient", testRecipient},
		} {
			if testing.Short() && how == "compressed" {
				continue
			}
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				url, create := start(t)
				attackBackups(t, url, create, settings)
			})
		}
	}
}

func attackBackups(t *testing.T, url string, create attacker, settings []string) {
	db, identity := t.TempDir(), filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(identity, []byte(testIdentity), 0o600); err != nil {
		t.Fatal(err)
	}
	backup := append([]string{"backup", "--node", "db-1", "--source", db}, settings...)
	planted := map[string]bool{}
	for round := range 2 {
		logDir(t, db, 260*round, 260*round+255, 400)         // a bundle and a page
		logDir(t, db, 260*round+255, 260*round+260, 300_000) // objects of their own, and a tail
		rubbish := rehearse(t, url, backup)
		for key, content := range rubbish {
			create(t, key, storetest.Forge(content))
			planted[key] = true
		}
		_, output := does(t, exitDone, append(slices.Clone(backup), url)...)
		if first := slices.Min(slices.Collect(maps.Keys(rubbish))); len(settings) < 4 && !strings.Contains(output, first) {
			t.Errorf("%s is not named: %s", first, output)
		}
		does(t, exitDone, "list", url)
		does(t, exitDone, "verify", "--read-data", url)
		does(t, exitDone, "verify", "--read-data", "--identity", identity, url)
		to := filepath.Join(t.TempDir(), "restored")
		does(t, exitDone, "restore", "--identity", identity, url, "--to", to)
		sameDir(t, to, db)
	}
	closed, _ := filepath.Glob(filepath.Join(db, "*.jdb"))
	output, _ := does(t, exitDone, append([]string{"archived", "--source", db, url}, closed[:len(closed)-1]...)...)
	if encrypted := len(settings) == 4; encrypted != strings.Contains(output, "encrypted content was not decrypted: 519 files") {
		t.Errorf("archived prints: %s", output)
	}
	does(t, exitDone, "prune", "--keep-last", "9", url)
	for key := range objects(t, url) {
		if planted[key] {
			t.Errorf("%s is there after a prune", key)
		}
	}
	for _, at := range []string{url + "@1", url + "@2"} {
		does(t, exitDone, "restore", "--identity", identity, at, "--to", filepath.Join(t.TempDir(), "restored"))
	}
}
