package portable

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/drivertest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The drivers of gocloud.dev that a service stands behind, and the one in memory. Each function returns a bucket in
// which one test is alone.
func buckets() map[string]func(t *testing.T) func() (*blob.Bucket, error) {
	return map[string]func(t *testing.T) func() (*blob.Bucket, error){
		"memblob": func(*testing.T) func() (*blob.Bucket, error) {
			return func() (*blob.Bucket, error) { return memblob.OpenBucket(nil), nil }
		},
		"s3blob": func(t *testing.T) func() (*blob.Bucket, error) {
			s := storetest.NewS3(t)
			return func() (*blob.Bucket, error) { return s3blob.OpenBucket(context.Background(), s.Client, s.Bucket, nil) }
		},
		"azureblob": func(t *testing.T) func() (*blob.Bucket, error) {
			s := storetest.NewAzure(t)
			return func() (*blob.Bucket, error) { return azureblob.OpenBucket(context.Background(), s.Client, nil) }
		},
		"gcsblob": func(t *testing.T) func() (*blob.Bucket, error) {
			s := storetest.NewGCS(t)
			return func() (*blob.Bucket, error) {
				return gcsblob.OpenBucket(context.Background(), nil, s.Bucket, &gcsblob.Options{Client: s.Client})
			}
		},
	}
}

// smallPage is a number of objects per listing request that makes listings of several pages cheap.
const smallPage = 100

// below returns the store of an archive at a prefix of a new bucket.
func below(t *testing.T, openBucket func() (*blob.Bucket, error), prefix string) *adapter {
	t.Helper()
	b, err := openBucket()
	if err != nil {
		t.Fatal(err)
	}
	return openPages(t, blob.PrefixedBucket(b, prefix), smallPage)
}

// A bucket of any driver keeps the contract of a store, without versions.
func TestPortable(t *testing.T) {
	t.Parallel()
	for name, server := range buckets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, openBucket := 0, server(t)
			storetest.Run(t, func(t *testing.T) store.Store {
				n++
				return below(t, openBucket, fmt.Sprintf("orders/%d/", n))
			}, storetest.Options{
				HashesAll: true, NoVersions: true, NoEscapes: true, Boundary: chunkLeast, Part: chunkLeast,
			})
		})
	}
}

// An archive in a bucket of any driver: the trials pass, a snapshot is restored byte for byte, and verified.
func TestPortableArchive(t *testing.T) {
	t.Parallel()
	for name, server := range buckets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := below(t, server(t), "orders/")
			if name == "gcsblob" { // fake-gcs-server returns all rolled-up prefixes on the first page
				failsOnly(t, s, "order")
				return
			}
			files := map[string][]byte{"log.0000000001": bytes.Repeat([]byte("entries "), 17<<17), "log.0000000002": []byte("more entries"), "log.0000000003": nil}
			a, dir := backUp(t, s, files)
			m, err := a.Snapshot(t.Context(), archive.Selector{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Restore(t.Context(), m, filepath.Join(dir, "restored"), archive.RestoreOptions{}); err != nil {
				t.Fatal(err)
			}
			for _, f := range m.Files {
				got, err := os.ReadFile(filepath.Join(dir, "restored", f.Name))
				if err != nil || !bytes.Equal(got, files[f.Name]) {
					t.Errorf("%s: %d bytes, %v", f.Name, len(got), err)
				}
			}
			r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true})
			if err != nil || len(r.Problems) > 0 || len(m.Files) < 2 {
				t.Errorf("%d files, %+v, %v", len(m.Files), r, err)
			}
			for o, err := range s.List(t.Context(), store.ProbePrefix, "", "") {
				t.Fatalf("an object of the trials is left: %s, %v", o.Key, err)
			}
		})
	}
}

// failsOnly runs the trials of a store, and checks that one of them fails, for a fault of the emulator, and no other.
func failsOnly(t *testing.T, s store.Store, trial string) {
	t.Helper()
	err := storecheck.Probe(t.Context(), s, func(f storecheck.Finding) {
		if (f.Result == storecheck.Failed) != (f.Probe == trial) {
			t.Errorf("%+v", f)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// backUp makes a snapshot of log files, and returns the archive and a directory for the test.
func backUp(t *testing.T, s store.Store, files map[string][]byte) (a *archive.Archive, dir string) {
	t.Helper()
	dir = t.TempDir()
	a = archive.New(s, archive.Options{})
	if _, err := a.Backup(t.Context(), sourceOf(t, filepath.Join(dir, "source"), files), archive.BackupOptions{Node: "n", Tool: "test"}); err != nil {
		t.Fatal(err)
	}
	return a, dir
}

func sourceOf(t *testing.T, dir string, files map[string][]byte) *source.Directory {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	layout, err := source.NewLayout(source.LayoutOptions{Name: "bdb"})
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// gocloud's conformance suite. So any program may rely on what the driver returns.
func TestDriverConformance(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(t *testing.T) drivertest.Subject {
		b := memblob.OpenBucket(nil)
		t.Cleanup(func() { b.Close() })
		return drivertest.Subject{
			Driver: &bucketDriver{Driver: cloud.Driver{Dialect: dialect}, bucket: b}, KeepsOddKeys: true,
			Put:    func(ctx context.Context, key string, content []byte) error { return b.WriteAll(ctx, key, content, nil) },
			Delete: func(ctx context.Context, key string) error { return b.Delete(ctx, key) },
		}
	})
}
