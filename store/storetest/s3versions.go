package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// NewS3Versions is NewS3 with a bucket that keeps versions.
func NewS3Versions(t *testing.T) *Server {
	t.Helper()
	s := newServer(t, envS3, false)
	s.keepVersions(t)
	return s
}

func (s *Server) keepVersions(t *testing.T) {
	t.Helper()
	on := &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}
	if _, err := s.Client.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &s.Bucket, VersioningConfiguration: on}); err != nil {
		t.Fatalf("enabling a bucket's versions: %v", err)
	}
}

// NewS3Locks is NewS3 with a bucket whose objects can be locked. Tests must lock with GOVERNANCE, or the bucket
// could not be deleted at the end of the test.
func NewS3Locks(t *testing.T) *Server {
	t.Helper()
	return newServer(t, envS3, true)
}

// Keys returns the archive's keys that begin with a prefix, including keys that have only old versions.
func (s *Server) Keys(t *testing.T, prefix string) []string {
	t.Helper()
	var keys []string
	for _, v := range s.versions(t, prefix) {
		if key := strings.TrimPrefix(*v.Key, s.Prefix); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Versions returns the ids of a key's versions, the newest first, without delete markers.
func (s *Server) Versions(t *testing.T, key string) []string {
	t.Helper()
	var ids []string
	for _, v := range s.versions(t, key) {
		if *v.Key == s.Prefix+key {
			ids = append(ids, *v.VersionId)
		}
	}
	return ids
}

func (s *Server) versions(t *testing.T, prefix string) (all []types.ObjectVersion) {
	t.Helper()
	pages := s3.NewListObjectVersionsPaginator(s.Client, &s3.ListObjectVersionsInput{Bucket: &s.Bucket, Prefix: aws.String(s.Prefix + prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatalf("listing versions of %s: %v", prefix, err)
		}
		all = append(all, page.Versions...)
	}
	return all
}

// Intrude puts another version of a key, as a thief of the credentials could.
func (s *Server) Intrude(t *testing.T, key, content string) {
	t.Helper()
	_, err := s.Client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &s.Bucket, Key: aws.String(s.Prefix + key), Body: strings.NewReader(content)})
	if err != nil {
		t.Fatalf("putting another version of %s: %v", key, err)
	}
}

// Hide deletes a key without naming a version, so that a delete marker hides the versions.
func (s *Server) Hide(t *testing.T, key string) {
	t.Helper()
	if _, err := s.Client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: aws.String(s.Prefix + key)}); err != nil {
		t.Fatalf("deleting %s: %v", key, err)
	}
}

// DeleteVersions tries to delete all versions by their ids. It returns how many the server deleted and refused to
// delete.
func (s *Server) DeleteVersions(t *testing.T) (deleted, refused int) {
	t.Helper()
	for batch := range slices.Chunk(s.versions(t, ""), 1000) {
		var all types.Delete
		for _, v := range batch {
			all.Objects = append(all.Objects, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		out, err := s.Client.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &s.Bucket, Delete: &all})
		if err != nil {
			t.Fatalf("deleting versions: %v", err)
		}
		deleted, refused = deleted+len(out.Deleted), refused+len(out.Errors)
	}
	return deleted, refused
}

// LockedUntil returns the end and the mode of the lock of a key's oldest version.
func (s *Server) LockedUntil(t *testing.T, key string) (time.Time, types.ObjectLockRetentionMode) {
	t.Helper()
	ids := s.Versions(t, key)
	if len(ids) == 0 {
		t.Fatalf("there is no %s", key)
	}
	out, err := s.Client.GetObjectRetention(t.Context(), &s3.GetObjectRetentionInput{
		Bucket: &s.Bucket, Key: aws.String(s.Prefix + key), VersionId: &ids[len(ids)-1],
	})
	if err != nil {
		t.Fatalf("the lock of %s: %v", key, err)
	}
	return aws.ToTime(out.Retention.RetainUntilDate), out.Retention.Mode
}
