package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// What operations report besides what the store said; test with errors.Is.
var (
	// ErrNoArchive: nothing was ever archived here.
	ErrNoArchive = errors.New("there is no archive here")
	// ErrNoSnapshot: the archive has no snapshot that fits the selector.
	ErrNoSnapshot = errors.New("no such snapshot")
	// ErrNoFile: the snapshot has no such file.
	ErrNoFile = errors.New("no such file in the snapshot")
	// ErrDamaged: something that the archive should hold is missing or is not what was stored.
	ErrDamaged = errors.New("the archive is damaged")
	// ErrLostRace: other archivers kept taking the sequence number.
	ErrLostRace = errors.New("another archiver won")
	// ErrEmptySource: the source holds no log file at all.
	ErrEmptySource = errors.New("the source is empty")
	// ErrRolledBack: the source ends before the archive does.
	ErrRolledBack = errors.New("the source has gone back")
	// ErrMissingFiles: closed log files are gone, and nothing shows that the database deleted them.
	ErrMissingFiles = errors.New("log files of the source are missing")
	// ErrForeign: the source is not the one that the archive belongs to.
	ErrForeign = errors.New("the source does not belong to this archive")
	// ErrUnsteady: the source changed faster than it could be read.
	ErrUnsteady = errors.New("the source does not hold still")
	// ErrPruneLimit: a prune would remove more snapshots than its limit allows.
	ErrPruneLimit = errors.New("the prune would remove more snapshots than its limit allows")
	// ErrOccupied: a restore would mix with what the target holds.
	ErrOccupied = errors.New("the target is occupied")
	// ErrInUse: a database may be running where a restore would write.
	ErrInUse = errors.New("the target is in use")
	// ErrNoSpace: the target has no room for the restore.
	ErrNoSpace = errors.New("not enough space")
)

// DefaultTransfers is how many files are in flight when Options does not say.
const DefaultTransfers = 8

// Options is how an archive is used. The zero value is ready for use.
type Options struct {
	Transfers int          // files read, sent or fetched at once; 0 means DefaultTransfers
	Limiter   Limiter      // what archives have together; nil: each has Transfers for itself
	State     *LocalState  // remembers on this host what was seen last; nil: nothing does
	Log       *slog.Logger // gets warnings; nil discards them
	Progress  *Progress    // is kept up to date; nil: nobody looks

	Encoder *encoding.Encoder // compresses and encrypts what is stored from now on; nil: nothing does
	Decoder *encoding.Decoder // has the identities that open what is encrypted; nil: none
}

// Limiter limit how many files several archives read, send or fetch at once, all together.
// Implementations are safe for concurrent use.
type Limiter interface {
	// Acquire waits for a slot, or until ctx ends: then it returns the context's cause. The
	// slot is given back by calling what is returned, once.
	Acquire(ctx context.Context) (release func(), err error)
}

// acquire waits for a slot where there are any.
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

// An Archive is the history of one node's log files in a store. Its methods may be
// called from several goroutines; it keeps the newest manifest in memory between
// calls, so a service does well to keep one per archive.
type Archive struct {
	store       store.Store
	codec       *manifest.PageCodec
	transfers   int
	limiter     Limiter
	state       *LocalState
	log         *slog.Logger
	progress    *Progress
	encoder     *encoding.Encoder
	decoder     *encoding.Decoder
	undecrypted *undecrypted // counts encrypted parts of which only the stored bytes were looked at; nil: they must be opened

	mu            sync.Mutex
	idSum         manifest.Hash   // of archive.json, as it was last read or written
	known         *snapshot       // the newest manifest that was read or written
	proofKey      string          // of the latest verify that was read
	proofKnownBad knownBad        // the objects that it names
	findings      *VerifyFindings // what else it says
	tailRead      *tailRead       // how far the file being written was read last
	durable       map[string]bool // keys of what this operation has made durable

	stamps *fileStamps   // of the source's files
	sealed sealedRecords // encrypted objects that were to be stored
}

// New returns the archive in a store. It does nothing yet: there may be none.
func New(store store.Store, o Options) *Archive {
	a := &Archive{
		store:     store,
		codec:     manifest.NewPageCodec(),
		transfers: o.Transfers,
		limiter:   o.Limiter,
		state:     o.State,
		log:       o.Log,
		progress:  o.Progress,
		encoder:   o.Encoder,
		decoder:   o.Decoder,
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
	return a
}

// undecrypted counts encrypted content that was not compared with its plain hash.
type undecrypted struct{ parts, bytes atomic.Int64 }

// snapshot is a manifest as it was found, with all its entries.
type snapshot struct {
	ref   manifest.Ref
	m     *manifest.Manifest // Files is complete, also where pages hold the entries
	pages []manifest.Page    // the same entries by page, for cutting the next ones
}
