package providers

import (
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/redact"
	"github.com/strongroom-dev/strongroom/providers/portable"
)

// The types that the packages of all providers share.
type (
	// Options are the settings of Open that are not in the URL. The zero value is ready for use.
	Options = cloud.Options
	// BucketOptions are the settings of FromBucket. The zero value is ready for use.
	BucketOptions = portable.Options
	// Bucket is an open store.
	Bucket = cloud.Bucket
	// Error is a failed operation on a bucket.
	Error = cloud.Error
	// Kind sorts failures by what an operator can do about them.
	Kind = cloud.Kind
	// Bandwidth limits the bytes per second that all buckets that share it send and receive together.
	Bandwidth = cloud.Bandwidth
	// Counter counts a bucket's requests to its service.
	Counter = cloud.Counter
)

// The kinds of failures.
const (
	Other          = cloud.Other
	NotFound       = cloud.NotFound
	NoBucket       = cloud.NoBucket
	Denied         = cloud.Denied
	BadCredentials = cloud.BadCredentials
	Throttled      = cloud.Throttled
	Unreachable    = cloud.Unreachable
	Broken         = cloud.Broken
	TimedOut       = cloud.TimedOut
	Precondition   = cloud.Precondition
	Misconfigured  = cloud.Misconfigured
	Canceled       = cloud.Canceled
	Protected      = cloud.Protected
	Frozen         = cloud.Frozen
	Blocked        = cloud.Blocked
	Busy           = cloud.Busy
)

// ErrNoBucket is reported if the bucket itself does not exist. An error that wraps it also wraps
// fs.ErrNotExist.
var ErrNoBucket = cloud.ErrNoBucket

// NewBandwidth returns a limit that may depend on the time of day: at returns the bytes per second that
// are allowed at a time, and 0 for no limit.
var NewBandwidth = cloud.NewBandwidth

// Redact makes an address fit for messages and logs: it replaces what may be a secret. Of another URL than an archive's
// it keeps the scheme and the host.
var Redact = redact.URL

// Hidden returns what Redact replaces in a text, and the pieces of it that may be secrets of their own.
var Hidden = redact.Hidden

// Place identifies an archive's URL, without its secrets.
var Place = cloud.Place

// FormerPlace returns the Place of earlier versions. It must be neither shown nor stored.
var FormerPlace = cloud.FormerPlace
