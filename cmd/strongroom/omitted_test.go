package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// With closed: quiet, the newest file of a sequence is young as long as the database writes, which is normal; any other
// young file is a gap. A monitor that counts differently than the manifest reports a gap where there is none, or hides
// one. So everything that shows the number has the same one.
func TestEveryCountOfOmittedFilesAgrees(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		young   []string
		omitted []string
	}{
		"the newest file alone is young": {[]string{"wal-3"}, nil},
		"another one is young":           {[]string{"wal-2", "wal-3"}, []string{"wal-2"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir, to := segmentsDir(t, c.young), t.TempDir()
			text := "  - name: orders\n    source: {dir: " + dir + `, layout: segments, pattern: 'wal-(\d+)', closed: quiet, quiet: 1h}` +
				"\n    destination: file://" + to + "/archive\n" + yearly
			s := serve(t, "archives:\n"+text)
			s.wait("a snapshot was made", "orders")
			s.until("its end", func() bool { return s.archive("orders").LastSuccess != nil && !s.archive("orders").Running })
			n := int64(len(c.omitted))
			if got := s.archive("orders").LeftOut; got.Files != n || int64(len(got.Some)) != n || n > 0 && got.Some[0].Name != c.omitted[0] {
				t.Errorf("the API has %+v, want %q", got, c.omitted)
			}
			o := succeed(t, "list", "--json", "file://"+to+"/archive")
			var listed []manifest.Summary
			if err := json.Unmarshal([]byte(o.stdout), &listed); err != nil || len(listed) != 1 {
				t.Fatalf("%v: %s", err, o.stdout)
			}
			if m := listed[0].LeftOut; m == nil && n > 0 || m != nil && (m.Files != n || m.Example != c.omitted[0]) {
				t.Errorf("the manifest has %+v, want %q", m, c.omitted)
			}
			var again []struct {
				LeftOut []string           `json:"left_out"`
				Omitted []archive.Omission `json:"omitted"`
			}
			o = succeed(t, "--config", s.config, "backup", "--json", "orders")
			if err := json.Unmarshal([]byte(o.stdout), &again); err != nil || len(again) != 1 {
				t.Fatalf("%v: %s", err, o.stdout)
			}
			if got := again[0]; int64(len(got.Omitted)) != n || len(got.LeftOut) > 0 || n > 0 && got.Omitted[0].Name != c.omitted[0] {
				t.Errorf("backup --json has %+v, want %q", got, c.omitted)
			}
			sameInText(t, s, "file://"+to+"/archive", n)
		})
	}
}

// sameInText checks the outputs that have the number of omitted files in words.
func sameInText(t *testing.T, s *served, url string, n int64) {
	t.Helper()
	metrics, page, detail := textOf(t, s, "/metrics"), textOf(t, s, "/"), textOf(t, s, "/archives/orders")
	if want := "strongroom_archive_left_out_files{archive=\"orders\"} " + map[int64]string{0: "0", 1: "1"}[n]; !strings.Contains(metrics, want) {
		t.Errorf("the metrics lack %q", want)
	}
	for what, text := range map[string]string{
		"the status page":      page,
		"the archive's page":   detail,
		"the snapshot's page":  textOf(t, s, "/archives/orders/snapshots/1"),
		"list":                 succeed(t, "list", url).stdout,
		"show":                 succeed(t, "show", url).stdout,
		"status":               succeed(t, "--config", s.config, "status").stdout,
		"status, from objects": succeed(t, "--config", withoutHTTP(t, s), "status").stdout,
		"backup":               backupText(t, s),
	} {
		if got := strings.Contains(text, "1 file left out") || strings.Contains(text, "1 file of the source") ||
			strings.Contains(text, "left out 1 file"); got != (n == 1) || n == 0 && strings.Contains(text, "left out") {
			t.Errorf("%s has %d omitted files, and shows: %s", what, n, text)
		}
	}
}

// backupText is what backup prints and logs.
func backupText(t *testing.T, s *served) string {
	t.Helper()
	o := succeed(t, "--config", s.config, "backup", "--force", "orders")
	return o.stdout + o.stderr
}

func textOf(t *testing.T, s *served, path string) string {
	t.Helper()
	code, text := s.get(path)
	if code != 200 {
		t.Fatalf("%s: %d: %s", path, code, text)
	}
	return text
}

// withoutHTTP is a copy of the configuration with which status reads the archives.
func withoutHTTP(t *testing.T, s *served) string {
	t.Helper()
	b, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	_, archives, _ := strings.Cut(string(b), "\narchives:")
	file := filepath.Join(t.TempDir(), "strongroom.yaml")
	if err := os.WriteFile(file, []byte("archives:"+archives), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// segmentsDir is a directory with three segments. All but the young ones are old.
func segmentsDir(t *testing.T, young []string) string {
	t.Helper()
	dir, old := t.TempDir(), time.Now().Add(-24*time.Hour)
	for _, name := range []string{"wal-1", "wal-2", "wal-3"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.Join(young, " "), name) {
			continue
		}
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
