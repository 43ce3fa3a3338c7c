package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/restoredir"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Errors that operations return in addition to those of the store; test with errors.Is.
var (
	// ErrNoArchive: nothing was ever archived here.
	ErrNoArchive = errors.New("there is no archive here")
	// ErrNoSnapshot: the archive has no snapshot that fits the selector.
	ErrNoSnapshot = errors.New("no such snapshot")
	// ErrNoFile: the snapshot has no such file.
	ErrNoFile = errors.New("no such file in the snapshot")
	// ErrDamaged: an object that the archive should hold is missing, or differs from what was stored.
	ErrDamaged = errors.New("the archive is damaged")
	// ErrLostRace: other writers kept taking the sequence number.
	ErrLostRace = errors.New("another writer committed first")
	// ErrEmptySource: the source holds no log file at all.
	ErrEmptySource = errors.New("the source is empty")
	// ErrRolledBack: the source ends before the archive does.
	ErrRolledBack = errors.New("the source was rolled back")
	// ErrMissingFiles: closed log files are gone, and nothing shows that the database deleted them.
	ErrMissingFiles = errors.New("log files of the source are missing")
	// ErrForked: the source and the archive have the same beginning, and differ since.
	ErrForked = errors.New("the source has another history than the archive")
	// ErrForeign: the source is not the one that the archive belongs to.
	ErrForeign = errors.New("the source does not belong to this archive")
	// ErrUnsteady: the source changed faster than it could be read.
	ErrUnsteady = errors.New("the source keeps changing")
	// ErrPruneLimit: a prune would remove more snapshots than its limit allows.
	ErrPruneLimit = errors.New("the prune would remove more snapshots than its limit allows")
	// ErrOccupied: a restore would mix its files with others in the target.
	ErrOccupied = restoredir.ErrOccupied
	// ErrInUse: a database may be running in the target of a restore.
	ErrInUse = restoredir.ErrInUse
	// ErrNoSpace: the target has no room for the restore.
	ErrNoSpace = restoredir.ErrNoSpace
)

// DefaultTransfers is the number of concurrent transfers if Options.Transfers is 0.
const DefaultTransfers = 8

// Options configures an archive. The zero value is ready for use.
type Options struct {
	Transfers int          // files, or ranges of large ones, in transfer at once; 0 means DefaultTransfers
	Limiter   Limiter      // a limit that several archives share; nil: only Transfers applies
	State     *LocalState  // what this host remembers of the archive; nil disables it
	Log       *slog.Logger // receives warnings; nil discards them
	Progress  *Progress    // updated during operations; nil disables it

	Encoder *encoding.Encoder // compresses and encrypts new content; nil stores it plain
	Decoder *encoding.Decoder // has the identities that decrypt content; nil: none
}

// Limiter limits how many files several archives together read, send or fetch concurrently. Implementations are safe
// for concurrent use.
type Limiter interface {
	// Acquire waits for a slot. If ctx ends before, it returns the context's cause. The caller returns the slot by
	// calling release once.
	Acquire(ctx context.Context) (release func(), err error)
}

// acquire waits for a slot of the limiter, if there is one.
func (a *Archive) acquire(ctx context.Context) (release func(), err error) {
	if a.limiter == nil {
		return func() {}, nil
	}
	release, err = a.limiter.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("waiting for the transfers of other archives: %w", err)
	}
	return release, nil
}

// An Archive is the history of one node's log files in a store. Its methods may be called from several goroutines. It
// keeps the newest manifest in memory between calls, so a service should keep one Archive for each archive.
type Archive struct {
	store       store.Store
	codec       *manifest.PageCodec
	transfers   int
	limiter     Limiter
	state       *localstate.State // nil: nothing is remembered on this host
	log         *slog.Logger
	progress    *Progress
	encoder     *encoding.Encoder
	decoder     *encoding.Decoder
	ranges      rangeSizes
	undecrypted *undecrypted // counts encrypted parts whose stored bytes alone were checked; nil requires decryption
	readsOnly   bool         // the operation changes nothing in the archive

	mu         sync.Mutex
	idSum      manifest.Hash          // of archive.json, as it was last read or written
	headID     *manifest.Archive      // archive.json as readHead found it; nil if it is missing or damaged
	warned     map[string]bool        // what was logged, once each
	whole      *localstate.Whole      // the snapshots that were stored without the ledger's next record
	known      *snapshot              // the newest manifest that was read or written
	damage     *damageLog             // what the verification records name, as far as they were read
	settled    settled                // which of that is still so in the newest snapshot
	tailRead   *tailRead              // how far the tail was read last
	lastSource localstate.SourceState // of the source's last files; used without a state directory
	durable    map[string]bool        // keys of objects that this operation has made durable
	cold       map[string]bool        // storage classes in which the store has refused a read
	// isUncompared means that it was logged that this operation does not compare the archive with the local state.
	isUncompared bool

	stamps      *localstate.FileStamps    // of the source's files
	listedPages string                    // the archive whose pages a backup of this process has listed
	sealed      *localstate.SealedRecords // encrypted objects, recorded before they are stored
}

// New returns the archive in a store. It sends no request: the archive need not exist yet.
func New(store store.Store, o Options) *Archive {
	a := &Archive{
		store:     store,
		codec:     manifest.NewPageCodec(),
		transfers: o.Transfers,
		limiter:   o.Limiter,
		state:     (*localstate.State)(o.State),
		log:       o.Log,
		progress:  o.Progress,
		encoder:   o.Encoder,
		decoder:   o.Decoder,
		ranges:    rangeSizes{rangedFrom, rangeSize},
	}
	if a.decoder == nil {
		a.decoder = encoding.NewDecoder()
	}
	if a.transfers <= 0 {
		a.transfers = DefaultTransfers
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.progress == nil {
		a.progress = &Progress{}
	}
	a.sealed = localstate.NewSealedRecords(a.state, a.log)
	return a
}

// undecrypted counts encrypted content that was not compared with its plain hash.
type undecrypted struct{ parts, bytes atomic.Int64 }

// snapshot is a manifest as it was found, with all its entries or, for a backup that needs no others, with those of
// some pages.
type snapshot struct {
	ref   manifest.Ref
	m     *manifest.Manifest // Files has all entries that were read, even if pages hold them
	pages []manifest.Page    // the same entries by page, for cutting the next ones
}
