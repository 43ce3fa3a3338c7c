package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// In a bucket that keeps versions, the object is the oldest version of its key, even if a delete marker
// hides it (format.md, fine print). Without a version's id a service returns the newest version. So a
// listing finds the ids; versions_cache.go keeps these listings rare.

// version is one version of an object.
type version struct {
	key      string // the whole key in the bucket
	id       string
	etag     string
	size     int64
	modified time.Time
	class    string // as the service names it
}

// versioned reports whether the bucket keeps versions, or has kept some. It requests that once.
func (s *adapter) versioned(ctx context.Context) (bool, error) {
	if s.versions != versionsAuto {
		s.oldest.known.Store(s.versions)
	}
	if known, ok := s.oldest.known.Load().(versionsMode); ok {
		return known == versionsOn, nil
	}
	select {
	case s.oldest.turn <- struct{}{}:
		defer func() { <-s.oldest.turn }()
	case <-ctx.Done():
		return false, fmt.Errorf("GetBucketVersioning: %w", context.Cause(ctx))
	}
	if known, ok := s.oldest.known.Load().(versionsMode); ok {
		return known == versionsOn, nil
	}
	request := cloud.ForDocument(ctx, "VersioningConfiguration")
	out, err := s.client.GetBucketVersioning(request, &s3.GetBucketVersioningInput{Bucket: &s.bucketName}, s.eachWithin)
	known := versionsOff
	switch k := dialect.KindOf(err); {
	case err == nil && out.Status != "":
		known = versionsOn
	case err == nil:
	case notImplemented(err):
	case k == cloud.Denied:
		s.log.Warn("no permission to read whether the bucket keeps versions (s3:GetBucketVersioning); "+
			"assuming that it does not; add versions=true or versions=false to the URL", "archive", s.RedactedURL)
	case isUnknownRequest(err):
		s.log.Warn("the service does not report whether the bucket keeps versions; "+
			"assuming that it does not; add versions=true or versions=false to the URL",
			"archive", s.RedactedURL, "answer", apiCode(err))
	case errors.Is(err, cloud.ErrBadAnswer), k == cloud.Other || k == cloud.NotFound:
		return false, fmt.Errorf("GetBucketVersioning: %w: %w", errVersionsUnknown, err)
	default:
		return false, fmt.Errorf("GetBucketVersioning: %w", err)
	}
	s.oldest.known.Store(known)
	return known == versionsOn, nil
}

// notImplemented reports whether a service does not implement a request.
func notImplemented(err error) bool {
	switch apiCode(err) {
	case "NotImplemented", "MethodNotAllowed", "UnsupportedOperation":
		return true
	}
	return statusOf(err) == 501 || statusOf(err) == 405
}

// errVersionsUnknown means that a service has not reported whether a bucket keeps versions.
var errVersionsUnknown = errors.New("the service does not report whether the bucket keeps versions")

// isUnknownRequest reports whether a service took GetBucketVersioning for another request, such as a listing, or has no
// such configuration. An answer that may pass, such as InvalidRequest or a proxy's page, is not enough: the newest
// version would count from then on.
func isUnknownRequest(err error) bool {
	if cloud.WrongRoot(err) == "ListBucketResult" {
		return true
	}
	switch apiCode(err) {
	case "InvalidArgument", "NoSuchKey", "NoSuchVersioningConfiguration":
		return statusOf(err) == 400 || statusOf(err) == 404
	}
	return false
}

// versionMarker is a position in a listing of versions: after that version, or, without an id, after all
// versions of the key.
type versionMarker struct{ key, id string }

// versionPage is one page of a listing of versions.
type versionPage struct {
	versions []version // in the order of keys; for each key, from the newest to the oldest
	markers  []version // delete markers, in the same order
	dirs     []string
	last     string        // the greatest key on the page
	next     versionMarker // where the next page starts; not always a key on this page
	more     bool
}

// listVersions requests a page of at most limit versions after a position. All keys are whole keys in the
// bucket.
func (s *adapter) listVersions(ctx context.Context, prefix, delimiter string, after versionMarker, limit int) (*versionPage, error) {
	in := &s3.ListObjectVersionsInput{
		Bucket: &s.bucketName, Prefix: &prefix, MaxKeys: aws.Int32(int32(limit)),
		EncodingType: types.EncodingTypeUrl, // otherwise a key that XML cannot represent would break all listings
	}
	in.Delimiter, in.KeyMarker, in.VersionIdMarker = given(delimiter), given(after.key), given(after.id)
	out, err := s.client.ListObjectVersions(cloud.ForListing(ctx, "ListVersionsResult", errorRoot), in, s.eachWithin)
	if err != nil {
		return nil, fmt.Errorf("ListObjectVersions: %w", err)
	}
	plain := unescape(out.EncodingType)
	p := &versionPage{more: aws.ToBool(out.IsTruncated), next: versionMarker{plain(out.NextKeyMarker), aws.ToString(out.NextVersionIdMarker)}}
	if p.more && p.next.key == "" {
		return nil, fmt.Errorf("ListObjectVersions: %w", cloud.CutListing())
	}
	for _, v := range out.Versions {
		p.versions = append(p.versions, version{
			plain(v.Key), aws.ToString(v.VersionId), tagOf(v.ETag), cloud.ListedSize(v.Size), aws.ToTime(v.LastModified),
			classNow(v.StorageClass),
		})
	}
	for _, m := range out.DeleteMarkers {
		p.markers = append(p.markers, version{key: plain(m.Key), id: aws.ToString(m.VersionId)})
	}
	for _, d := range out.CommonPrefixes {
		p.dirs = append(p.dirs, plain(d.Prefix))
	}
	for _, v := range slices.Concat(p.versions, p.markers) {
		p.last = max(p.last, v.key)
	}
	if len(p.dirs) > 0 {
		p.last = max(p.last, slices.Max(p.dirs))
	}
	return p, nil
}

// whole returns the oldest version of each key whose versions all are on this page or earlier pages. The
// versions of the page's last key may continue on the next page. Then hold is its oldest version so far,
// which the caller passes as held with the next page.
func (p *versionPage) whole(held *version) (oldest []version, hold *version) {
	all := p.versions
	if held != nil {
		all = append([]version{*held}, all...)
	}
	for i, v := range all {
		if i+1 == len(all) || all[i+1].key != v.key {
			oldest = append(oldest, v)
		}
	}
	if n := len(oldest) - 1; p.more && n >= 0 && oldest[n].key >= p.last {
		return oldest[:n], &oldest[n]
	}
	return oldest, nil
}

// advance returns an error if the page after this one was requested before.
func (p *versionPage) advance(markers *cloud.Tokens) error {
	if p.more && !markers.Add([]byte(p.next.key+"\x00"+p.next.id)) {
		return fmt.Errorf("ListObjectVersions: %w: it repeats the marker %q, so it would not end", cloud.ErrBadListing, p.next.key)
	}
	return nil
}

// listOldest requests a page of a bucket that keeps versions: the oldest version of each key.
func (d *bucketDriver) listOldest(ctx context.Context, o *driver.ListOptions, q *cloud.ListRequest) (*driver.ListPage, error) {
	s := d.store
	at, held, err := parseVersionToken(o.PageToken)
	if err != nil {
		return nil, err
	}
	if len(o.PageToken) == 0 {
		at.key = q.After
	}
	limit := int(*pageSize(o.PageSize, cloud.ListPage))
	if len(o.PageToken) > 0 {
		limit++ // VersityGW repeats the version at the marker: a page of one version would be that one forever
	}
	p, err := s.listVersions(ctx, o.Prefix, o.Delimiter, at, min(limit, cloud.ListPage, s.oldest.pageSize()))
	if err != nil {
		return nil, err
	}
	var oldest []version
	oldest, held = p.whole(held)
	s.oldest.remember(oldest)
	var objects, prefixes []*driver.ListObject
	for i := range oldest {
		v := &oldest[i]
		objects = append(objects, cloud.ListedObject(&store.Object{
			Key: v.key, Size: v.size, Modified: v.modified, Version: stampOf(v.id, v.etag),
			Frozen: frozenClass(v.class), Class: v.class,
		}))
	}
	for _, dir := range p.dirs {
		prefixes = append(prefixes, cloud.ListedPrefix(dir))
	}
	page := &driver.ListPage{Objects: q.Merge(objects, prefixes)}
	if p.more {
		page.NextPageToken, err = versionTokenOf(p.next, held)
	}
	return page, err
}

// versionToken is where a page of a listing of the oldest versions begins. It has the oldest version so far of the
// last page's last key.
type versionToken struct {
	Key, ID        string
	HasHeld        bool
	HeldKey        string
	HeldID         string
	HeldETag       string
	HeldSize       int64
	HeldModifiedAt time.Time
	HeldClass      string
}

func versionTokenOf(next versionMarker, held *version) ([]byte, error) {
	t := versionToken{Key: next.key, ID: next.id}
	if held != nil {
		t.HasHeld, t.HeldKey, t.HeldID, t.HeldETag = true, held.key, held.id, held.etag
		t.HeldSize, t.HeldModifiedAt, t.HeldClass = held.size, held.modified, held.class
	}
	return json.Marshal(t)
}

func parseVersionToken(token []byte) (at versionMarker, held *version, err error) {
	if len(token) == 0 {
		return at, nil, nil
	}
	var t versionToken
	if err := json.Unmarshal(token, &t); err != nil {
		return at, nil, fmt.Errorf("the token of a page: %w", err)
	}
	if t.HasHeld {
		held = &version{t.HeldKey, t.HeldID, t.HeldETag, t.HeldSize, t.HeldModifiedAt, t.HeldClass}
	}
	return versionMarker{t.Key, t.ID}, held, nil
}
