package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/store/storetest"
)

// An S3 address that does not work gives the user a message with the remedy, exit code 1, soon, and
// never a credential.
func TestS3Mistakes(t *testing.T) {
	t.Parallel()
	whole(t)
	db := t.TempDir()
	logDir(t, db, 0, 3, 1000)
	good := storetest.S3(t)
	secret := os.Getenv("AWS_SECRET_ACCESS_KEY")
	bucket, rest, _ := strings.Cut(strings.TrimPrefix(good, "s3://"), "/")
	_, query, _ := strings.Cut(rest, "?")
	for name, tt := range map[string]struct {
		url  string
		env  []string
		want []string
	}{
		"missing bucket":       {"s3://no-such-bucket/x?" + query, nil, []string{"no-such-bucket", "does not exist"}},
		"wrong secret":         {good, []string{"AWS_SECRET_ACCESS_KEY=wrong-" + secret}, []string{bucket, "credentials"}},
		"no credentials":       {good, []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="}, []string{"credentials"}},
		"unreachable endpoint": {"s3://" + bucket + "/x?region=us-east-1&use_path_style=true&endpoint=http://127.0.0.1:1", nil, []string{"127.0.0.1:1", "refused", "endpoint"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range [][]string{
				{"backup", "--source", db, tt.url},
				{"list", tt.url},
				{"restore", tt.url, "--to", t.TempDir() + "/r"},
			} {
				c := program(t, args...)
				c.Env = append(c.Env, tt.env...)
				o := finish(t, c)
				if o.code != exitFailed {
					t.Errorf("%s: exit code %d: %s", args[0], o.code, o.stderr)
				}
				for _, want := range tt.want {
					if !strings.Contains(o.stderr, want) {
						t.Errorf("%s: %q is not in the message: %s", args[0], want, o.stderr)
					}
				}
				if strings.Contains(o.stdout+o.stderr, secret) {
					t.Errorf("%s: the secret is printed", args[0])
				}
			}
		})
	}
	if o := finish(t, program(t, "list", good)); o.code != exitNotFound {
		t.Errorf("something was written: exit code %d: %s", o.code, o.stdout)
	}
}

// A service reports storage classes, and each has its prices. A class without a price is named, and nothing of it is free.
func TestS3Prices(t *testing.T) {
	t.Parallel()
	whole(t)
	db := t.TempDir()
	logDir(t, db, 0, 3, 1000)
	file := filepath.Join(t.TempDir(), "strongroom.yaml")
	url := storetest.S3(t)
	configure := func(class string) {
		t.Helper()
		text := fmt.Sprintf("archives: [{name: orders, source: {dir: %q}, destination: %q, retention: {last: 1}}]\n"+
			"prices: [{for: 's3://', currency: USD, egress: 5000, classes: {%s: {storage: 5000, requests: 4, retrieval: 0}}}]\n",
			db, url, class)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want []string, args ...string) {
		t.Helper()
		o := finish(t, program(t, append(args, "--config", file)...))
		for _, w := range want {
			if o.code != 0 || !regexp.MustCompile(w).MatchString(o.stdout) {
				t.Errorf("%v: exit code %d, %q is not in %s%s", args, o.code, w, o.stdout, o.stderr)
			}
		}
	}
	configure("standard")
	run(nil, "backup", "orders")
	run(nil, "backup", "--force", "orders")
	run([]string{`(?m)^data +STANDARD +3 +[0-9.]+ KiB +3$`, `(?m)^it costs about \d+\.\d+ USD \(egress \d+\.\d+, requests 0\.012\)$`},
		"restore", "orders", "--to", filepath.Join(t.TempDir(), "r"), "--dry-run")
	run([]string{`(?m)^this saves about 0\.\d+ USD per month$`}, "prune", "--dry-run", "orders")
	run([]string{`(?m)^STANDARD +\d+ +[0-9.]+ KiB$`, `(?m)^it costs about \d+\.\d+ USD per month$`}, "stats", "orders")
	configure("GLACIER_IR")
	run([]string{`(?m)^it costs \d+\.\d+ USD and more; the configuration has no price for: requests of the class STANDARD, retrieval of the class STANDARD$`},
		"restore", "orders", "--to", filepath.Join(t.TempDir(), "r"), "--dry-run")
	run([]string{`(?m)^this saves an unknown amount of USD; the configuration has no price for: storage of the class STANDARD$`},
		"prune", "--dry-run", "orders")
}
