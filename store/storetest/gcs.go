package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
)

// envGCS names the HOST:PORT of an emulator of Google Cloud Storage.
const envGCS = "STRONGROOM_TEST_GCS"

// GCSServer is a new bucket on an emulator. It is deleted at the end of its test.
type GCSServer struct {
	Client *storage.Client // for a test's operations that bypass the store
	Bucket string
	URL    string // of an archive in the bucket
	Prefix string // of the archive's keys in the bucket
}

// GCS creates a new bucket and returns the URL of an archive in it. With -short it skips the test; without a server
// the test fails.
func GCS(t *testing.T) string { return NewGCS(t).URL }

// NewGCS is GCS for tests that access the bucket directly.
func NewGCS(t *testing.T) *GCSServer {
	t.Helper()
	if testing.Short() {
		t.Skip("tests against a server run only without -short")
	}
	address := os.Getenv(envGCS)
	if address == "" {
		t.Fatalf("%s is not set: no server to test against; run make test, or go test -short", envGCS)
	}
	s := &GCSServer{Bucket: "test-" + strings.ToLower(rand.Text()), Prefix: "orders/node-1/"}
	s.URL = "gs://" + s.Bucket + "/" + strings.TrimSuffix(s.Prefix, "/") + "?endpoint=http://" + address
	var err error
	s.Client, err = storage.NewClient(t.Context(), option.WithoutAuthentication(), option.WithEndpoint("http://"+address+"/storage/v1/"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Client.Bucket(s.Bucket).Create(t.Context(), "test", nil); err != nil {
		t.Fatalf("making a bucket at %s: %v", address, err)
	}
	t.Cleanup(func() { s.remove(t) })
	return s
}

// remove empties and deletes the bucket.
func (s *GCSServer) remove(t *testing.T) {
	defer s.Client.Close()
	ctx := context.WithoutCancel(t.Context())
	b := s.Client.Bucket(s.Bucket)
	for it := b.Objects(ctx, nil); ; {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err == nil {
			err = b.Object(o.Name).Delete(ctx)
		}
		if err != nil {
			t.Errorf("emptying the bucket: %v", err)
			break
		}
	}
	if err := b.Delete(ctx); err != nil {
		t.Errorf("deleting the bucket: %v", err)
	}
}
