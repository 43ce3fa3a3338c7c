package objects

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/store"
)

// Objects are the objects of an archive in its store, with what reading and putting them needs. The methods may be
// called from several goroutines.
type Objects struct {
	Store       store.Store
	Ranges      RangeSizes        // which objects are fetched in ranges
	Transfers   int               // files, or ranges of large ones, in transfer at once
	State       *localstate.State // nil: nothing is remembered on this host
	Log         *slog.Logger
	Progress    *values.Progress
	Encoder     *encoding.Encoder // nil: new content is stored plain
	Decoder     *encoding.Decoder
	Undecrypted *Undecrypted // counts encrypted parts whose stored bytes alone were checked; nil requires decryption

	limiter values.Limiter

	mu      sync.Mutex
	warned  map[string]bool // what was logged, once each
	durable map[string]bool // keys of objects that this operation has made durable
	cold    map[string]bool // storage classes in which the store has refused a read
}

// DefaultTransfers is the number of concurrent transfers if Options.Transfers is 0.
const DefaultTransfers = 8

// Options are those of archive.New. The zero value is ready for use.
type Options struct {
	Transfers int
	Limiter   values.Limiter
	State     *localstate.State
	Log       *slog.Logger
	Progress  *values.Progress
	Encoder   *encoding.Encoder
	Decoder   *encoding.Decoder
}

// New returns the objects in a store. It sends no request.
func New(s store.Store, o Options) *Objects {
	if o.Decoder == nil {
		o.Decoder = encoding.NewDecoder()
	}
	if o.Transfers <= 0 {
		o.Transfers = DefaultTransfers
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = &values.Progress{}
	}
	return &Objects{
		Store: s, Transfers: o.Transfers, State: o.State, Log: o.Log, Progress: o.Progress, Encoder: o.Encoder, Decoder: o.Decoder,
		limiter: o.Limiter, Ranges: RangeSizes{rangedFrom, rangeSize},
	}
}

// WithoutCache returns the same objects with an empty cache.
func (a *Objects) WithoutCache() *Objects {
	return &Objects{
		Store: a.Store, Transfers: a.Transfers, State: a.State, Log: a.Log, Progress: a.Progress, Encoder: a.Encoder, Decoder: a.Decoder,
		limiter: a.limiter, Ranges: a.Ranges,
	}
}

// IsLimited reports whether several archives share a limit of transfers.
func (a *Objects) IsLimited() bool { return a.limiter != nil }

// Acquire waits for a slot of the limiter, if there is one.
func (a *Objects) Acquire(ctx context.Context) (release func(), err error) {
	if a.limiter == nil {
		return func() {}, nil
	}
	release, err = a.limiter.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("waiting for the transfers of other archives: %w", err)
	}
	return release, nil
}

// IsNewWarning reports whether this is the first call with a warning.
func (a *Objects) IsNewWarning(w string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.warned[w] {
		return false
	}
	if a.warned == nil {
		a.warned = map[string]bool{}
	}
	a.warned[w] = true
	return true
}
