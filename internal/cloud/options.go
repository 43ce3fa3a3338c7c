package cloud

import (
	"io"
	"log/slog"
	"time"

	"github.com/strongroom-dev/strongroom/store"
)

// Bucket is an open store.Store. Close closes its connections and does not wait for operations that are
// still running.
type Bucket interface {
	store.Store
	io.Closer
}

// Options are the settings of Open that are not in the URL. The zero value is ready for use.
type Options struct {
	// Transfers is the number of parts of large objects that all Puts together send at once; 0 means 8.
	// It does not limit small objects: the caller limits these.
	Transfers int
	// Timeout is how long a connection may be without traffic before the request fails and is tried
	// again; 0 means 60 s.
	Timeout time.Duration
	// Bandwidth limits the bytes per second in both directions; nil sets no limit. Buckets may share one.
	Bandwidth *Bandwidth
	// Counter counts the requests; nil disables it. Buckets may share one.
	Counter *Counter
	// Log receives warnings; nil discards them.
	Log *slog.Logger
	// Scratch is a directory for temporary files, which may not exist yet. It is used only if a service does not list in
	// the order of the keys, and a listing is too large to be sorted in memory. Without it, such a listing fails.
	Scratch string
	// Budget limits the retries of all requests of the bucket together; nil means NewBudget(Transfers).
	Budget *Budget
}

// WithDefaults returns o with defaults in place of zero values. A nil Bandwidth and a nil Counter stay nil.
func (o Options) WithDefaults() Options {
	if o.Transfers <= 0 {
		o.Transfers = 8
	}
	if o.Budget == nil {
		o.Budget = NewBudget(o.Transfers)
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
