package providers

import (
	"context"
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

	budget *budget // of further attempts, which all requests of the bucket share
}

func (o Options) withDefaults() Options {
	if o.Transfers <= 0 {
		o.Transfers = 8
	}
	if o.budget == nil {
		o.budget = newBudget(o.Transfers)
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Open opens the bucket behind an archive's URL. It sends no request, so that a bucket
// that is missing or out of reach shows at the first use. ctx is for reading local
// configuration only.
func Open(ctx context.Context, rawURL string, opts Options) (Bucket, error) {
	a, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	switch a.scheme {
	case "mem":
		return openMemory(&a)
	case "file":
		return openFile(&a, opts)
	case "s3":
		return openS3(ctx, &a, opts)
	case "azblob":
		return openAzure(&a, opts)
	default:
		return openGCS(ctx, &a, opts)
	}
}
