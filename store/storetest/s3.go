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

// The variables with the servers' addresses; make test sets them.
const (
	envS3    = "STRONGROOM_TEST_S3"     // over http
	envS3TLS = "STRONGROOM_TEST_S3_TLS" // over https

	envOther = "STRONGROOM_TEST_" // and the name of another server in capitals; make stores sets them
)

// Server is a new bucket on a real server. It is deleted at the end of its test.
type Server struct {
	Client *s3.Client // for a test's operations that bypass the store
	Bucket string
	URL    string // of an archive in the bucket
	Prefix string // of the archive's keys in the bucket

	locks       bool
	unversioned bool // the server may not list versions
}

// S3 creates a new bucket on the server over http and returns the URL of an archive in it. With -short it skips the
// test; without a server the test fails.
func S3(t *testing.T) string { return NewS3(t).URL }

// NewS3 is S3 for tests that access the bucket directly.
func NewS3(t *testing.T) *Server {
	t.Helper()
	return newServer(t, envS3, false)
}

// NewS3TLS is NewS3 over TLS, with a certificate that only AWS_CA_BUNDLE makes valid.
func NewS3TLS(t *testing.T) *Server {
	t.Helper()
	return newServer(t, envS3TLS, false)
}

// NewOtherS3 is NewS3 on a server other than MinIO, such as "VersityGW". The bucket keeps versions if versions is true.
func NewOtherS3(t *testing.T, name string, versions bool) *Server {
	t.Helper()
	s := newServer(t, envOther+strings.ToUpper(name), false)
	s.unversioned = !versions
	if versions {
		s.keepVersions(t)
	}
	return s
}

func newServer(t *testing.T, variable string, locks bool) *Server {
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
		locks:  locks,
		Client: s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &endpoint, true }),
	}
	s.URL = "s3://" + s.Bucket + "/" + strings.TrimSuffix(s.Prefix, "/") + "?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(endpoint)
	if _, err := s.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &s.Bucket, ObjectLockEnabledForBucket: &locks}); err != nil {
		t.Fatalf("making a bucket at %s: %v", endpoint, err)
	}
	t.Cleanup(func() { s.remove(t) })
	return s
}

// remove empties and deletes the bucket.
func (s *Server) remove(t *testing.T) {
	ctx := context.WithoutCancel(t.Context())
	if s.unversioned {
		s.removeObjects(ctx, t)
	} else {
		s.removeVersions(ctx, t)
	}
	_, err := s.Client.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &s.Bucket})
	switch {
	case err == nil:
	case s.unversioned && s.isEmpty(ctx): // rclone may leave empty directories behind if deletes and puts race
		t.Logf("the bucket is empty, and stays until the server ends: %v", err)
	default:
		t.Errorf("deleting the bucket: %v", err)
	}
}

// isEmpty reports whether the service lists no object.
func (s *Server) isEmpty(ctx context.Context) bool {
	page, err := s.Client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.Bucket})
	return err == nil && len(page.Contents) == 0 && !aws.ToBool(page.IsTruncated)
}

// removeObjects empties a bucket that keeps no versions.
func (s *Server) removeObjects(ctx context.Context, t *testing.T) {
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{Bucket: &s.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Errorf("emptying the bucket: %v", err)
			return
		}
		for _, o := range page.Contents {
			if _, err := s.Client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: o.Key}); err != nil {
				t.Errorf("emptying the bucket: %v", err)
			}
		}
	}
}

// removeVersions empties a bucket, also if its objects are locked.
func (s *Server) removeVersions(ctx context.Context, t *testing.T) {
	pages := s3.NewListObjectVersionsPaginator(s.Client, &s3.ListObjectVersionsInput{Bucket: &s.Bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Errorf("emptying the bucket: %v", err)
			return
		}
		var all types.Delete
		for _, v := range page.Versions {
			all.Objects = append(all.Objects, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
			if s.locks {
				s.lift(ctx, t, v.Key, v.VersionId)
			}
		}
		for _, m := range page.DeleteMarkers {
			all.Objects = append(all.Objects, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		if len(all.Objects) == 0 {
			continue
		}
		in := &s3.DeleteObjectsInput{Bucket: &s.Bucket, Delete: &all}
		if s.locks {
			in.BypassGovernanceRetention = aws.Bool(true)
		}
		if _, err := s.Client.DeleteObjects(ctx, in); err != nil {
			t.Errorf("emptying the bucket: %v", err)
		}
	}
}

// lift ends a legal hold.
func (s *Server) lift(ctx context.Context, t *testing.T, key, id *string) {
	_, err := s.Client.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{
		Bucket: &s.Bucket, Key: key, VersionId: id,
		LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOff},
	})
	if err != nil {
		t.Errorf("emptying the bucket: %s: %v", *key, err)
	}
}

// Uploads returns the number of a key's multipart uploads that are neither completed nor aborted.
func (s *Server) Uploads(t *testing.T, key string) int {
	t.Helper()
	out, err := s.Client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &s.Bucket, Prefix: aws.String(s.Prefix + key)})
	if err != nil {
		t.Fatalf("listing uploads of %s: %v", key, err)
	}
	return len(out.Uploads)
}
