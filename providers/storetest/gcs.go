package storetest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"google.golang.org/api/option"
	gcs "google.golang.org/api/storage/v1"
)

// envGCS names the HOST:PORT of an emulator of Google Cloud Storage.
const envGCS = "STRONGROOM_TEST_GCS"

// GCSServer is a fresh bucket on an emulator. It goes away with its test.
type GCSServer struct {
	Client *gcs.Service // for what a test does behind a store's back
	Bucket string
	URL    string // of an archive in it
	Prefix string // that the archive's keys have in the bucket
}

// GCS makes a fresh bucket and gives the URL of an archive in it. With -short the test is
// skipped; without a server it fails.
func GCS(t *testing.T) string { return NewGCS(t).URL }

// NewGCS is GCS for tests that look behind the store.
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
	s.Client, err = gcs.NewService(t.Context(), option.WithoutAuthentication(), option.WithEndpoint("http://"+address+"/storage/v1/"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.Buckets.Insert("test", &gcs.Bucket{Name: s.Bucket}).Context(t.Context()).Do(); err != nil {
		t.Fatalf("making a bucket at %s: %v", address, err)
	}
	t.Cleanup(func() { s.remove(t) })
	return s
}

// remove empties and deletes the bucket.
func (s *GCSServer) remove(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	err := s.Client.Objects.List(s.Bucket).Pages(ctx, func(page *gcs.Objects) error {
		for _, o := range page.Items {
			if err := s.Client.Objects.Delete(s.Bucket, o.Name).Context(ctx).Do(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("emptying the bucket: %v", err)
	}
	if err := s.Client.Buckets.Delete(s.Bucket).Context(ctx).Do(); err != nil {
		t.Errorf("deleting the bucket: %v", err)
	}
}
