package s3

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// settings are what a URL says on how objects are stored.
type settings struct {
	encryption types.ServerSideEncryption // "" for the bucket's default
	kmsKey     *string
	class      types.StorageClass // of what holds content; "" for the bucket's default
	checksum   checksumMode
	createOnly bool
	versions   versionsMode
	lock       retention
}

// checksumMode is how the server is held to what it is sent.
type checksumMode string

const (
	checksumCRC32C checksumMode = "crc32c" // of the whole object, promised and kept
	checksumMD5    checksumMode = "md5"    // of each request, promised and forgotten
	checksumNone   checksumMode = "none"
)

// versionsMode says who knows whether the bucket keeps versions.
type versionsMode string

const (
	versionsAuto versionsMode = "auto" // the bucket is asked
	versionsOn   versionsMode = "true"
	versionsOff  versionsMode = "false"
)

// oneOf reads a parameter that has a few values, of which the first is the default.
func oneOf[T ~string](a *cloud.Address, name string, values ...T) (T, error) {
	v, ok := a.Params[name]
	switch {
	case !ok:
		return values[0], nil
	case slices.Contains(values, T(v)):
		return T(v), nil
	}
	values = slices.DeleteFunc(values, func(v T) bool { return v == "" })
	return "", fmt.Errorf("archive URL %s: parameter %s is %.40q; write one of %v", a.Where, name, v, values)
}

func parseSettings(a *cloud.Address, now time.Time) (s settings, err error) {
	if s.checksum, err = oneOf(a, "checksum", checksumCRC32C, checksumMD5, checksumNone); err != nil {
		return s, err
	}
	if s.versions, err = oneOf(a, "versions", versionsAuto, versionsOn, versionsOff); err != nil {
		return s, err
	}
	create, err := oneOf(a, "create_only", "true", "false")
	if err != nil {
		return s, err
	}
	s.createOnly = create == "true"
	s.encryption, err = oneOf(a, "ssetype", append([]types.ServerSideEncryption{""}, s.encryption.Values()...)...)
	if err != nil {
		return s, err
	}
	if k := a.Params["kmskeyid"]; k != "" {
		s.kmsKey = &k
		if !strings.HasPrefix(string(s.encryption), "aws:kms") {
			return s, fmt.Errorf("archive URL %s: kmskeyid names a key of ssetype=aws:kms; write that too", a.Where)
		}
	}
	if s.class, err = storageClass(a); err != nil {
		return s, err
	}
	if s.lock, err = lockOf(a, now); err != nil {
		return s, err
	}
	return s, s.agree(a)
}

// agree refuses settings that cannot stand together.
func (s *settings) agree(a *cloud.Address) error {
	switch locks := s.lock.any(); {
	case locks && s.versions == versionsOff:
		return fmt.Errorf("archive URL %s: only buckets that keep versions can lock objects; leave out versions=false", a.Where)
	case locks && s.checksum == checksumNone:
		return fmt.Errorf("archive URL %s: services lock only what comes with a checksum; write checksum=md5 or leave it out", a.Where)
	case locks:
		s.versions = versionsOn
	}
	return nil
}

// storageClass reads the class. Amazon's are known; a service that is not Amazon's may
// have names of its own.
func storageClass(a *cloud.Address) (types.StorageClass, error) {
	c := types.StorageClass(a.Params["storage_class"])
	odd := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' }
	_, foreign := a.Params["endpoint"]
	switch {
	case c == "":
		return "", nil
	case c == types.StorageClassGlacier || c == types.StorageClassDeepArchive:
		return "", fmt.Errorf("archive URL %s: what lies in storage_class %s cannot be read before it is thawed, which strongroom does not do; write GLACIER_IR", a.Where, c)
	case slices.Contains(c.Values(), c), foreign && len(c) <= 64 && !strings.ContainsFunc(string(c), odd):
		return c, nil
	}
	return "", fmt.Errorf("archive URL %s: parameter storage_class is %.40q; write one of %v", a.Where, string(c), c.Values())
}

// classOf is the storage class of a key. What every run reads (manifests, pages, the
// ledger) stays in the bucket's own class: it is small, and other classes ask a price for
// reading and for early deletion.
func (s *settings) classOf(key string) types.StorageClass {
	if strings.HasPrefix(key, manifest.DataPrefix) || strings.HasPrefix(key, manifest.BundlesPrefix) || store.ProbesContent(key) {
		return s.class
	}
	return ""
}

// lookFirst reports whether a Put has to look before it sends anything: the server would
// not refuse what exists, or would not tell the checksum of it.
func (s *settings) lookFirst() bool { return !s.createOnly || s.checksum != checksumCRC32C }

// SingleMax is the largest object that is sent in one request. Where requests are held in
// memory, it is the size of a part.
func (s *settings) singleMax() int64 {
	if s.checksum != checksumCRC32C {
		return minPart
	}
	return cloud.SingleMax
}

// ifNone is the condition that nothing is there.
func (s *settings) ifNone() *string {
	if !s.createOnly {
		return nil
	}
	any := "*"
	return &any
}

// Waives implements store.Waiver.
func (s *settings) Waives(p store.Guarantee) bool {
	switch p {
	case store.CreateOnly:
		return !s.createOnly
	case store.Checksums:
		return s.checksum == checksumNone
	}
	return false
}

// days reads a time such as 30d, or one that Go knows, such as 36h.
func days(v string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(v, "d"); ok {
		d, err := strconv.ParseUint(n, 10, 16)
		return time.Duration(d) * 24 * time.Hour, err
	}
	return time.ParseDuration(v)
}
