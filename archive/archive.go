package archive

import (
	"log/slog"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/restoredir"
	"github.com/strongroom-dev/strongroom/store"
)

// DefaultTransfers is the number of concurrent transfers if Options.Transfers is 0.
const DefaultTransfers = objects.DefaultTransfers

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

// LocalState names the directory where this host remembers, in a few small files per archive, the newest manifest
// that it saw. The store alone cannot show that its newest snapshot is gone, since that looks like a snapshot that
// was never finished. Deleting the files loses nothing but this knowledge.
type LocalState struct {
	Dir string // is made when it is missing

	// Place is the archive's address, without credentials. With it, once any operation has read the archive, later
	// ones return an error if the whole archive is gone, such as with a disk that is not mounted. Empty disables
	// this check.
	Place string

	// Former is Place as earlier versions of the program had it; empty if it is the same. What they remembered is read
	// where nothing was recorded for Place yet.
	Former string
}

// An Archive is the history of one node's log files in a store. Its methods may be called from several goroutines. It
// keeps the newest manifest in memory between calls, so a service should keep one Archive for each archive.
type Archive struct{ repo *repo.Repo }

// New returns the archive in a store. It sends no request: the archive need not exist yet.
func New(store store.Store, o Options) *Archive {
	return &Archive{repo.New(store, objects.Options{
		Transfers: o.Transfers, Limiter: o.Limiter, State: (*localstate.State)(o.State), Log: o.Log, Progress: o.Progress,
		Encoder: o.Encoder, Decoder: o.Decoder,
	})}
}

// WithDecoder returns the same archive with another decoder, whose identities decrypt the content. It shares no
// cache with the original.
func (a *Archive) WithDecoder(d *encoding.Decoder) *Archive { return &Archive{a.repo.WithDecoder(d)} }

// Names in and beside a directory that a restore writes.
const (
	// IncompleteMarker is a file in the directory from the first byte of a restore until the last.
	IncompleteMarker = restoredir.IncompleteMarker
	// PartialSuffix is added to the name of a directory that does not exist yet, while a restore makes it.
	PartialSuffix = restoredir.PartialSuffix
	// CompleteSuffix is added to the name of a new directory, for a file beside it, while the directory gets its
	// name. By this file the next restore recognizes the directory with the partial name, which has no marker any
	// more.
	CompleteSuffix = restoredir.CompleteSuffix
)
