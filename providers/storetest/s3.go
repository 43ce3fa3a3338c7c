package storetest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The environment in which tests find their servers; make test sets it.
const (
	envS3    = "STRONGROOM_TEST_S3"     // address of a service over http
	envS3TLS = "STRONGROOM_TEST_S3_TLS" // and over https
	envS3CA  = "STRONGROOM_TEST_S3_CA"  // PEM file of the certificate of that one
)

// Server is a fresh bucket on a real server. It goes away with its test.
type Server struct {
	Client *s3.Client // for what a test does behind a store's back
	Bucket string
	URL    string // of an archive in it
	Prefix string // that the archive's keys have in the bucket
}

// S3 makes a fresh bucket on the server over http and gives the URL of an archive in it.
// With -short the test is skipped; without a server it fails.
func S3(t *testing.T) string { return NewS3(t).URL }

// NewS3 is S3 for tests that look behind the store.
func NewS3(t *testing.T) *Server {
	t.Helper()
	return newServer(t, envS3)
}

// NewS3TLS is NewS3 over TLS, with a certificate that only AWS_CA_BUNDLE vouches for,
// which it sets for the test.
func NewS3TLS(t *testing.T) *Server {
	t.Helper()
	if ca := os.Getenv(envS3CA); ca != "" {
		t.Setenv("AWS_CA_BUNDLE", ca)
	}
	return newServer(t, envS3TLS)
}

func newServer(t *testing.T, variable string) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("tests against a server run only without -short")
	}
	endpoint := os.Getenv(variable)
	if endpoint == "" {
		t.Fatalf("%s is not set: no server to test against; run make test, or go test -short", variable)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Bucket: "test-" + strings.ToLower(rand.Text()),
		Prefix: "orders/node-1/",
		Client: s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &endpoint, true }),
	}
	s.URL = "s3://" + s.Bucket + "/" + strings.TrimSuffix(s.Prefix, "/") + "?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(endpoint)
	if _, err := s.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &s.Bucket}); err != nil {
		t.Fatalf("making a bucket at %s: %v", endpoint, err)
	}
	t.Cleanup(func() { s.remove(t) })
	return s
}

// remove empties and deletes the bucket.
func (s *Server) remove(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{Bucket: &s.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Errorf("emptying the bucket: %v", err)
			return
		}
		var all types.Delete
		for _, o := range page.Contents {
			all.Objects = append(all.Objects, types.ObjectIdentifier{Key: o.Key})
		}
		if len(all.Objects) == 0 {
			continue
		}
		if _, err := s.Client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.Bucket, Delete: &all}); err != nil {
			t.Errorf("emptying the bucket: %v", err)
		}
	}
	if _, err := s.Client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &s.Bucket}); err != nil {
		t.Errorf("deleting the bucket: %v", err)
	}
}

// Uploads counts the multipart uploads of a key that are neither completed nor aborted.
func (s *Server) Uploads(t *testing.T, key string) int {
	t.Helper()
	out, err := s.Client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &s.Bucket, Prefix: aws.String(s.Prefix + key)})
	if err != nil {
		t.Fatalf("listing uploads of %s: %v", key, err)
	}
	return len(out.Uploads)
}
