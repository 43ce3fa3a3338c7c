package providers

import "github.com/strongroom-dev/strongroom/internal/cloud"

// What the packages of all providers have in common.
type (
	// Options are what Open takes besides the URL. The zero value is ready for use.
	Options = cloud.Options
	// Bucket is an open store.
	Bucket = cloud.Bucket
	// Error is a failed operation on a bucket.
	Error = cloud.Error
	// Kind sorts failures by what an operator can do about them.
	Kind = cloud.Kind
	// Bandwidth limits what the buckets that share it send and receive.
	Bandwidth = cloud.Bandwidth
	// Counter counts the requests of a bucket to its service.
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
)

// ErrNoBucket: the bucket itself does not exist. What wraps it wraps fs.ErrNotExist too.
var ErrNoBucket = cloud.ErrNoBucket

// NewBandwidth returns a limit that may depend on the time of day: at returns the bytes per second
// that are allowed at a time, 0 for no limit.
var NewBandwidth = cloud.NewBandwidth

// Redact makes an archive's URL fit for messages and logs: it replaces credentials in it, and the
// values of unknown parameters.
var Redact = cloud.Redact
