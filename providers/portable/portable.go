package portable

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// Options are the settings of New. The zero value is ready for use.
type Options struct {
	// Name names the bucket in errors. It must have no credentials. Empty means "bucket".
	Name string
	// Timeout is how long one request of a listing may take; a page may take all its attempts. 0 means 60 s.
	Timeout time.Duration
	// Scratch is a directory for temporary files, which may not exist yet. It is used only if the bucket does not list
	// in the order of the keys, and a listing is too large to be sorted in memory. Without it, such a listing fails.
	Scratch string

	page int // objects per listing request at most, for tests; 0 means cloud.ListPage
}

// adapter is an archive in a bucket of gocloud.dev/blob.
type adapter struct {
	cloud.Portable
	cloud.RedactedURL
	bucket *blob.Bucket
}

var (
	_ store.FaultProbe = (*adapter)(nil)
	_ store.Unproven   = (*adapter)(nil)
)

// New returns the store of the archive in b. For an archive below a prefix, pass a blob.PrefixedBucket. New sends no
// request. Close of the result does not close b.
//
// A store of New keeps the contract of store.Store, with these weaker promises:
//
//   - store.CreateOnly is as good as the bucket's IfNotExist. Archives test it before the first snapshot: see
//     store.Unproven. The package fileblob fails that test.
//   - store.Checksums: the service compares nothing. Put reads each object back and compares its SHA-256. It deletes an
//     object that differs, if it is the one that this Put has created; so the credentials must be able to delete.
//   - store.ConditionalDelete is missing: objects have no Version, and Delete removes whatever is under a key. So two
//     repairs of an archive must never run at once.
//
// gocloud.dev has no conditional delete. So if another process deletes and creates an object again between the last
// comparison in Put and the deletion of what differs, that object is deleted. Only repairs create a deleted object
// again. An object that a failed write left behind stays if its writer reported an error, since it may be another
// writer's: that of a driver that creates an object although its context was canceled, for example. The next Put of the
// key returns store.ErrExists then. A driver may also leave the parts of an upload that failed.
//
// gocloud.dev's drivers take "__0x41__" in a key for an escape. Put refuses keys with "__0x". The package azureblob
// escapes "%", so that keys with it are not listed in order.
func New(b *blob.Bucket, o Options) (cloud.Bucket, error) {
	if b == nil {
		return nil, errors.New("the bucket is nil; open it first")
	}
	s := &adapter{RedactedURL: cloud.RedactedURL(cmp.Or(o.Name, "bucket")), bucket: b}
	d := &bucketDriver{Driver: cloud.Driver{Dialect: dialect}, bucket: b, page: o.page}
	s.Portable = cloud.Portable{
		Bucket: cloud.NewBucket(d, cloud.PageLimit(cmp.Or(max(o.Timeout, 0), time.Minute))),
		Order:  &cloud.Order{Scratch: o.Scratch}, Fail: s.fail,
	}
	return s, nil
}

func (s *adapter) fail(op, key string, err error) error {
	return dialect.Wrap(string(s.RedactedURL), op, key, err)
}

// dialect has the codes of gocloud.dev: each driver translates its service's errors.
var dialect = &cloud.Dialect{Sort: kindOf}

// deniedByGoogle is an error that gcsblob takes for a missing object. An archive that cannot be read must not pass for
// one that is not there.
var deniedByGoogle = regexp.MustCompile(`googleapi: (Error|got HTTP response code) 403\b`)

// kindOf returns the kind of a bucket's error.
func kindOf(err error) cloud.Kind {
	var service interface{ ErrorCode() string } // as the SDK for S3 has it
	switch {
	case cloud.NoConnection(err): // azureblob takes an unknown host for a missing object
		return cloud.Unreachable
	case deniedByGoogle.MatchString(err.Error()):
		return cloud.Denied
	case errors.As(err, &service) && service.ErrorCode() == "ConditionalRequestConflict":
		return cloud.Busy
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return cloud.NotFound
	case gcerrors.PermissionDenied:
		return cloud.Denied
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		return cloud.Precondition
	case gcerrors.ResourceExhausted:
		return cloud.Throttled
	case gcerrors.DeadlineExceeded:
		return cloud.TimedOut
	case gcerrors.Canceled:
		return cloud.Canceled
	}
	return cloud.Other
}

// escape begins what gocloud.dev's drivers take for an escaped character.
const escape = "__0x"

// checkKey returns an error for a key that the format does not allow, or that a listing would return as another key.
func checkKey(key string) error {
	if err := cloud.CheckKey(key); err != nil {
		return err
	}
	if strings.Contains(key, escape) {
		return fmt.Errorf("key %.80q has %q, with which gocloud.dev begins an escaped character", key, escape)
	}
	return nil
}

// Put implements store.Store. It sends the body, and reads the object back.
func (s *adapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	p := s.newUpload(key, cloud.NewBodyUntil(ctx, body, sums.Size), sums)
	stored, err := p.run(ctx)
	return stored, s.fail("putting", key, err)
}
