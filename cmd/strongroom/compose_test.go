package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The service of docker-compose.yml, with its configuration there, against the same servers: one
// directory gets to all three clouds, whole.
func TestCompose(t *testing.T) {
	t.Parallel()
	whole(t)
	db := t.TempDir()
	write := func(n int) {
		content := strings.Repeat(fmt.Sprintf("record of file %d\n", n), 1000)
		if err := os.WriteFile(filepath.Join(db, fmt.Sprintf("segment-%06d.log", n)), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 4 {
		write(n)
	}
	env := []string{
		"STRONGROOM_CONFIG=" + composeConfig(t, db), "STRONGROOM_STATE_DIR=" + t.TempDir(),
	}
	run := program(t, "run")
	run.Env = append(run.Env, env...)
	var log strings.Builder
	run.Stderr = &log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	archives := []string{"sample-s3", "sample-azure", "sample-gcs"}
	command := func(args ...string) outcome {
		c := program(t, args...)
		c.Env = append(c.Env, env...)
		return finish(t, c)
	}
	deadline := time.Now().Add(patience)
	for _, name := range archives {
		for command("show", name+"@1").code != 0 && time.Now().Before(deadline) {
			time.Sleep(100 * time.Millisecond)
		}
	}
	if err := run.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Errorf("run: %v\n%s", err, &log)
	}
	// The database still writes to the newest: that one is not archived.
	if err := os.Remove(filepath.Join(db, "segment-000003.log")); err != nil {
		t.Fatal(err)
	}
	for _, name := range archives {
		if o := command("verify", "--read-data", name); o.code != 0 {
			t.Errorf("verify %s: exit code %d\n%s%s\n%s", name, o.code, o.stdout, o.stderr, &log)
			continue
		}
		back := filepath.Join(t.TempDir(), "back")
		if o := command("restore", name, "--to", back); o.code != 0 {
			t.Errorf("restore %s: exit code %d\n%s", name, o.code, o.stderr)
			continue
		}
		sameDir(t, back, db)
	}
}

// composeConfig writes the configuration of docker-compose.yml to a file, with the
// addresses of the servers that there are here, and gives its path.
func composeConfig(t *testing.T, db string) string {
	t.Helper()
	b, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Configs map[string]struct{ Content string }
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	bucket := func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return u.Host
	}
	text := file.Configs["strongroom"].Content
	for there, here := range map[string]string{
		"dir: /sample":                   "dir: " + db,
		"s3://backups/":                  "s3://" + bucket(storetest.S3(t)) + "/",
		"http://${TRIAL_S3:-minio:9000}": os.Getenv("STRONGROOM_TEST_S3"),
		"azblob://backups/":              "azblob://" + bucket(storetest.Azure(t)) + "/",
		"domain=azurite:10000":           "domain=" + os.Getenv("STRONGROOM_TEST_AZURE"),
		"gs://backups/":                  "gs://" + bucket(storetest.GCS(t)) + "/",
		"http://gcs:4443":                "http://" + os.Getenv("STRONGROOM_TEST_GCS"),
	} {
		if !strings.Contains(text, there) {
			t.Fatalf("the configuration in docker-compose.yml has no %s:\n%s", there, text)
		}
		text = strings.ReplaceAll(text, there, here)
	}
	path := filepath.Join(t.TempDir(), "strongroom.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
