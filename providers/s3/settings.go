package s3

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/redact"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// settings are the parameters of a URL that determine how objects are stored.
type settings struct {
	encryption types.ServerSideEncryption // empty: the bucket's default
	kmsKey     *string
	class      types.StorageClass // of data objects and bundles; empty: the bucket's default
	checksum   checksumMode
	createOnly bool
	conditions bool // deletes have conditions
	versions   versionsMode
	lock       retention
	payer      bool // the requester pays for requests
}

// checksumMode is the checksum that the server compares with the content.
type checksumMode string

const (
	checksumCRC32C checksumMode = "crc32c" // of the whole object; the server compares and stores it
	checksumMD5    checksumMode = "md5"    // of each request; the server compares it and does not store it
	checksumNone   checksumMode = "none"
)

// versionsMode is whether the bucket keeps versions, or that a request finds out.
type versionsMode string

const (
	versionsAuto versionsMode = "auto" // read from the bucket
	versionsOn   versionsMode = "true"
	versionsOff  versionsMode = "false"
)

// oneOf returns the value of a parameter that allows only the given values. The first one is the default.
func oneOf[T ~string](a *cloud.Address, name string, values ...T) (T, error) {
	v, ok := a.Params[name]
	switch {
	case !ok:
		return values[0], nil
	case slices.Contains(values, T(v)):
		return T(v), nil
	}
	values = slices.DeleteFunc(values, func(v T) bool { return v == "" })
	return "", fmt.Errorf("archive URL %s: parameter %s is %s; write one of %v", a.Where, name, redact.Value(name, v), values)
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
	conditional, err := oneOf(a, "conditional_delete", "true", "false")
	if err != nil {
		return s, err
	}
	s.conditions = conditional == "true"
	s.encryption, err = oneOf(a, "ssetype", append([]types.ServerSideEncryption{""}, s.encryption.Values()...)...)
	if err != nil {
		return s, err
	}
	if k := a.Params["kmskeyid"]; k != "" {
		s.kmsKey = &k
		if !strings.HasPrefix(string(s.encryption), "aws:kms") {
			return s, fmt.Errorf("archive URL %s: parameter kmskeyid needs ssetype=aws:kms; add it", a.Where)
		}
	}
	if s.payer, err = a.Truth("requester_pays"); err != nil {
		return s, err
	}
	if s.class, err = storageClass(a); err != nil {
		return s, err
	}
	if s.lock, err = lockOf(a, now); err != nil {
		return s, err
	}
	return s, s.agree(a)
}

// agree returns an error for settings that exclude each other.
func (s *settings) agree(a *cloud.Address) error {
	switch locks := s.lock.any(); {
	case locks && s.versions == versionsOff:
		return fmt.Errorf("archive URL %s: only buckets that keep versions can lock objects; leave out versions=false", a.Where)
	case locks && s.checksum == checksumNone:
		return fmt.Errorf("archive URL %s: services lock only objects that are sent with a checksum; "+
			"write checksum=md5 or leave it out", a.Where)
	case locks:
		s.versions = versionsOn
	}
	if class := frozenClass(string(s.class)); class != "" && s.checksum != checksumCRC32C {
		return fmt.Errorf("archive URL %s: objects in storage_class %s cannot be read back to compare them, so the service "+
			"must report their checksum; leave out checksum=%s", a.Where, class, s.checksum)
	}
	return nil
}

// storageClass returns the class. Amazon's classes are a fixed list; with an endpoint any well-formed name is
// allowed, since other services have their own classes.
func storageClass(a *cloud.Address) (types.StorageClass, error) {
	c := types.StorageClass(a.Params["storage_class"])
	odd := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' }
	_, foreign := a.Params["endpoint"]
	switch {
	case c == "":
		return "", nil
	case slices.Contains(c.Values(), c), foreign && len(c) <= 64 && !strings.ContainsFunc(string(c), odd):
		return c, nil
	}
	return "", fmt.Errorf("archive URL %s: parameter storage_class is %s; write one of %v",
		a.Where, redact.Value("storage_class", string(c)), c.Values())
}

// classOf returns the storage class of a key. Manifests, pages and the ledger keep the bucket's own class.
// They are small and every run reads them, and other classes charge for reading and for early deletion. The probe object
// that is stored like data is read back, so it never gets a class from which it must be thawed.
func (s *settings) classOf(key string) types.StorageClass {
	switch {
	case strings.HasPrefix(key, manifest.DataPrefix), strings.HasPrefix(key, manifest.BundlesPrefix):
		return s.class
	case store.ProbesContent(key) && frozenClass(string(s.class)) == "":
		return s.class
	}
	return ""
}

// lookFirst reports whether a Put must check for an existing object before it sends the content. It must
// if the server would not refuse to overwrite, or does not report the checksum of an existing object.
func (s *settings) lookFirst() bool { return !s.createOnly || s.checksum != checksumCRC32C }

// singleMax returns the size of the largest object that is sent in one request. If requests are held in
// memory, it is the size of a part.
func (s *settings) singleMax() int64 {
	if s.checksum != checksumCRC32C {
		return minPart
	}
	return cloud.SingleMax
}

// ifNone returns the value of If-None-Match, with which a Put fails if the object exists; nil without
// create-only.
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
	case store.ConditionalDelete:
		return !s.conditions
	}
	return false
}

// days parses a duration such as 30d, or one that time.ParseDuration accepts, such as 36h.
func days(v string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(v, "d"); ok {
		d, err := strconv.ParseUint(n, 10, 16)
		return time.Duration(d) * 24 * time.Hour, err
	}
	return time.ParseDuration(v)
}
