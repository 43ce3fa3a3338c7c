package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
)

// Every kind of server passes every probe, and nothing stays behind.
func TestCheckOfServers(t *testing.T) {
	whole(t)
	for _, d := range clouds() {
		t.Run(d.name, func(t *testing.T) {
			url := d.url(t)
			o := finish(t, program(t, "check", "--json", url))
			var reports []checkReport
			if err := json.Unmarshal([]byte(o.stdout), &reports); err != nil || o.code != exitDone || len(reports) != 1 {
				t.Fatalf("exit code %d, %v: %s%s", o.code, err, o.stdout, o.stderr)
			}
			for _, f := range reports[0].Findings {
				if note := d.name == "file" && f.Probe == "checksum echo"; f.Result != archive.Good && !note {
					t.Errorf("%+v", f)
				}
			}
			if len(reports[0].Findings) != 11 {
				t.Errorf("%d findings", len(reports[0].Findings))
			}
			if o := finish(t, program(t, "list", url)); o.code != exitNotFound || !strings.Contains(o.stderr, "no archive") {
				t.Errorf("afterwards, list: exit code %d: %s%s", o.code, o.stdout, o.stderr)
			}
		})
	}
}
