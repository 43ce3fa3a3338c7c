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

// otherServer is an S3 server other than MinIO.
type otherServer struct {
	name string
	// plain and versions describe the server's buckets without and with versions.
	plain, versions storetest.Options
	// check and checkVersions have the outcome of each probe of "strongroom check" that is not good.
	check, checkVersions map[string]storecheck.Outcome
}

// otherServers are the servers of make stores. docs/providers.md states what their differences mean.
var otherServers = []otherServer{
	{
		name:          "VersityGW",
		plain:         storetest.Options{SameVersion: true, IgnoresVersions: true, ComparesVersions: true},
		versions:      storetest.Options{ComparesVersions: true, BadListing: cloud.ErrBadListing},
		check:         map[string]storecheck.Outcome{"conditional delete": storecheck.Note},
		checkVersions: map[string]storecheck.Outcome{},
	},
}

// MinIO is one implementation of S3, and others answer otherwise. An archive must be as safe on each.
func TestStores(t *testing.T) {
	otherStores(t, func(t *testing.T, o otherServer) {
		t.Parallel()
		plain := o.plain
		plain.Many = twoPages
		runSuite(t, storetest.NewOtherS3(t, o.name, false), "", plain)
	})
}

func TestStoresWithMD5(t *testing.T) {
	otherStores(t, func(t *testing.T, o otherServer) {
		t.Parallel()
		plain := o.plain
		plain.Many = twoPages
		runSuite(t, storetest.NewOtherS3(t, o.name, false), "md5", plain)
	})
}

func TestStoresWithVersions(t *testing.T) {
	otherStores(t, func(t *testing.T, o otherServer) {
		t.Parallel()
		versions := o.versions
		versions.Many = twoPages
		runSuite(t, storetest.NewOtherS3(t, o.name, true), "", versions)
	})
}

// docs/providers.md states what check reports for each server.
func TestStoresCheck(t *testing.T) {
	otherStores(t, func(t *testing.T, o otherServer) {
		for name, want := range map[string]map[string]storecheck.Outcome{"plain": o.check, "versions": o.checkVersions} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				checkStore(t, storetest.NewOtherS3(t, o.name, name == "versions"), want)
			})
		}
	})
}

func checkStore(t *testing.T, server *storetest.Server, want map[string]storecheck.Outcome) {
	s := openWeak(t, server.URL, "orders/", "")
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
	if !maps.Equal(got, want) {
		t.Errorf("check reports %v, want %v", got, want)
	}
}

// otherStores runs a test on each server of make stores. A server that is not there fails the test.
func otherStores(t *testing.T, test func(t *testing.T, o otherServer)) {
	t.Helper()
	if !*stores {
		t.Skip("runs with the flag -stores only: make stores")
	}
	for _, o := range otherServers {
		t.Run(o.name, func(t *testing.T) { test(t, o) })
	}
}
