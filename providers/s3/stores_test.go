package s3

import (
	"flag"
	"maps"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// stores selects TestStores, whose servers take minutes to build.
var stores = flag.Bool("stores", false, "run the tests on S3 servers other than MinIO; make stores starts the servers")

// otherBucket is a kind of bucket on an S3 server other than MinIO.
type otherBucket struct {
	server, name string
	checksum     string // the parameter of the URL
	versions     bool
	// suite describes the bucket for the conformance suite; nil if check reports that archives cannot be made in it.
	suite *storetest.Options
	// check has the outcome of each probe of "strongroom check" that is not good.
	check map[string]storecheck.Outcome
}

// otherBuckets are those of make stores. docs/providers.md states what their differences mean. rclone keeps no versions.
var otherBuckets = []otherBucket{
	{
		server: "VersityGW", name: "plain",
		suite: &storetest.Options{SameVersion: true, IgnoresVersions: true, ComparesVersions: true},
		check: map[string]storecheck.Outcome{"conditional delete": storecheck.Note},
	},
	{
		server: "VersityGW", name: "md5", checksum: "md5",
		suite: &storetest.Options{SameVersion: true, IgnoresVersions: true, ComparesVersions: true},
		check: map[string]storecheck.Outcome{"conditional delete": storecheck.Note, "checksum echo": storecheck.Note},
	},
	{
		server: "VersityGW", name: "versions", versions: true,
		suite: &storetest.Options{ComparesVersions: true, BadListing: cloud.ErrBadListing},
		check: map[string]storecheck.Outcome{},
	},
	{
		server: "rclone", name: "plain", // it returns no checksum of an object that was sent in parts
		check: map[string]storecheck.Outcome{"large objects": storecheck.Failed},
	},
	{
		server: "rclone", name: "md5", checksum: "md5",
		suite: &storetest.Options{SameVersion: true, ComparesVersions: true, BadDelete: true},
		check: map[string]storecheck.Outcome{"checksum echo": storecheck.Note},
	},
	{
		server: "SeaweedFS", name: "plain",
		check: map[string]storecheck.Outcome{"order": storecheck.Failed}, // it lists by directories
	},
	{
		server: "SeaweedFS", name: "md5", checksum: "md5",
		check: map[string]storecheck.Outcome{"order": storecheck.Failed, "checksum echo": storecheck.Note},
	},
}

// MinIO is one implementation of S3, and others answer otherwise. An archive must be as safe on each.
func TestStores(t *testing.T) {
	otherStores(t, func(t *testing.T, b otherBucket) {
		if b.suite == nil {
			t.Skip("strongroom check refuses this kind of bucket: TestStoresCheck")
		}
		suite := *b.suite
		suite.Many = twoPages
		runSuite(t, storetest.NewOtherS3(t, b.server, b.versions), b.checksum, suite)
	})
}

// docs/providers.md states what check reports for each server.
func TestStoresCheck(t *testing.T) {
	otherStores(t, func(t *testing.T, b otherBucket) {
		s := openWeak(t, storetest.NewOtherS3(t, b.server, b.versions).URL, "orders/", b.checksum)
		got := map[string]storecheck.Outcome{}
		err := storecheck.Probe(t.Context(), s, func(f storecheck.Finding) {
			t.Logf("%-8s%s: %s", f.Result, f.Probe, f.Detail)
			if f.Result != storecheck.Good {
				got[f.Probe] = f.Result
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, b.check) {
			t.Errorf("check reports %v, want %v", got, b.check)
		}
	})
}

// otherStores runs a test on each bucket of make stores. A server that is not there fails the test.
func otherStores(t *testing.T, test func(t *testing.T, b otherBucket)) {
	t.Helper()
	if !*stores {
		t.Skip("runs with the flag -stores only: make stores")
	}
	for _, b := range otherBuckets {
		t.Run(b.server+"/"+b.name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}
