package cloud

import (
	"io"
	"log/slog"
	"time"

	"github.com/strongroom-dev/strongroom/store"
)

// Bucket is an open store.Store. Close lets go of connections; it does not wait for
// operations that are still running.
type Bucket interface {
	store.Store
	io.Closer
}

// Options are what Open takes besides the URL. The zero value is good.
type Options struct {
	// Transfers is how many parts of large objects are sent at once, over all Puts;
	// 0: 8. Small objects are not counted: their number is the caller's.
	Transfers int
	// Timeout is how long a connection may stand still, while connected, before it is
	// given up and the request tried again; 0: 60 s.
	Timeout time.Duration
	// Bandwidth limits what is sent and received; nil: nothing does. Buckets may share
	// one.
	Bandwidth *Bandwidth
	// Counter counts what is asked of the service; nil: nobody does.
	Counter *Counter
	// Log gets what is worth telling and is no error; nil: nobody.
	Log *slog.Logger

	Budget *Budget // of further attempts, which all requests of the bucket share
}

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
