package cloud

import "time"

// Limits that all adapters of services share. Sizes are in bytes.
const (
	SingleMax         = 16 << 20 // the largest object that is sent in one request
	ContinueThreshold = 1 << 20  // requests of at least this size use "Expect: 100-continue"
	CompareMax        = 1 << 20  // existing objects up to this size are read and compared by SHA-256, too
	PutRounds         = 3        // how often a body is sent that the server refuses although the source is unchanged
)

// StaleAge is the age from which any process may remove an unfinished upload or a temporary file.
const StaleAge = 7 * 24 * time.Hour

// AbortTimeout is how long the abort of an upload may take after the caller's context has ended.
const AbortTimeout = 8 * time.Second
