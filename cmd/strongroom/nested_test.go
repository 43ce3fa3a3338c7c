package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/store/storetest"
)

// On a server that evaluates policies: an archive at the top of a bucket, and one within it that
// was begun with credentials that end at its prefix, and so cannot find the other one. It loses
// nothing, in data/ and elsewhere, when the outer one is pruned. A user with access to the outer
// one is refused.
func TestNestedOnS3(t *testing.T) {
	t.Parallel()
	whole(t)
	for _, test := range []struct {
		name, prefix string
		bucket       func(*testing.T) *storetest.Server
		check        bool
	}{
		{"in data", "data/node-2", storetest.NewS3, true},
		{"beside data", "orders/node-1", storetest.NewS3, false},
		{"versions", "data/node-2", storetest.NewS3Versions, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server, prefix := test.bucket(t), test.prefix
			server.Prefix = prefix + "/"
			_, query, _ := strings.Cut(server.URL, "?")
			outer, inner := "s3://"+server.Bucket+"?"+query, "s3://"+server.Bucket+"/"+prefix+"?"+query
			a, b := t.TempDir(), t.TempDir()
			logDir(t, a, 0, 3, 3000)
			logDir(t, b, 0, 4, 5000)
			succeed(t, "backup", "--source", a, outer)
			for _, args := range [][]string{
				{"backup", "--source", b, inner}, {"backup", "--dry-run", "--source", b, inner}, {"copy", outer, "--to", inner},
			} {
				if o := finish(t, program(t, args...)); o.code != exitConflict || !strings.Contains(o.stderr, "s3://"+server.Bucket+",") {
					t.Errorf("%s: exit code %d: %s", args[0], o.code, o.stderr)
				}
			}
			scoped := newUser(t, server, "archiver")
			if test.check {
				scoped.can(t, "check", "--quick", inner)
			}
			for i := range 3 {
				scoped.can(t, "backup", "--source", b, inner)
				logDir(t, b, 4+i, 5+i, 5000)
			}
			scoped.can(t, "backup", "--source", b, inner)
			scoped.can(t, "prune", "--keep-last", "3", inner)
			logDir(t, a, 3, 6, 3000)
			succeed(t, "backup", "--source", a, outer)
			before := server.Keys(t, "")

			for range 2 {
				o := finish(t, program(t, "prune", "--keep-last", "1", outer))
				if o.code != exitDone || !strings.Contains(o.stderr, "at the prefix "+prefix+"/") {
					t.Errorf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
				}
			}
			if after := server.Keys(t, ""); len(after) != len(before) {
				t.Errorf("of %d objects %d are left", len(before), len(after))
			}
			scoped.can(t, "verify", "--read-data", inner)
			to := filepath.Join(t.TempDir(), "r")
			scoped.can(t, "restore", inner, "--to", to)
			sameDir(t, to, b)
			succeed(t, "verify", "--read-data", outer)
			if !test.check {
				return
			}
			if o := finish(t, program(t, "check", "--quick", inner)); o.code != exitDone || !strings.Contains(o.stdout, "the archive lies within the one at s3://"+server.Bucket) {
				t.Errorf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
			}
		})
	}
}
