package cloud

import "time"

// What the adapters of services have in common.
const (
	SingleMax         = 16 << 20 // the largest object that is sent in one request
	ContinueThreshold = 1 << 20  // from this size on the server is asked before the body is sent
	CompareMax        = 1 << 20  // up to this size an existing object is read and compared by SHA-256 too
	PutRounds         = 3        // of sending what the server refused although the source is right
)

// StaleAge is how old something left behind must be for anybody to remove it.
const StaleAge = 7 * 24 * time.Hour

// AbortTimeout ends an upload after its caller has gone.
const AbortTimeout = 8 * time.Second
