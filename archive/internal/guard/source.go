package guard

import (
	"sync"

	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A Source is a captured source beside the archive that it should continue.
type Source struct {
	Repo         *repo.Repo
	Node         string             // the database node, as in the options
	Acceptance   *values.Acceptance // what an operator has accepted
	Head         *repo.Head
	Seen         localstate.SourceState // the source at the base snapshot; zero if unknown
	Writer       string                 // id of this host's state directory; empty if it has none
	Layout       source.Layout
	Capture      *source.Capture
	CanReuseBase bool                                    // the base's objects may be referenced; see repo.Head.CanReuseBase
	SameStamp    func(*source.File, *manifest.File) bool // no stamp shows that they differ
	KnownBad     findings.KnownBad                       // objects known to be missing or damaged

	unchecked sync.Once // for the warning of an unknown log version

	Mu          sync.Mutex // guards the fields below
	Res         *values.BackupResult
	sameContent map[string]bool // closed files that were read, and have the base's content

	Accepted []manifest.Guard  // guards whose findings an operator accepted
	LeftOut  *manifest.LeftOut // the manifest's note of the omitted files; nil if there are none

	ForkedFrom, RewoundFrom *manifest.Ref // the base, if the source does not continue all of it
}

// Parent returns the base snapshot, with the entries of those of its pages that were read; nil if there is none.
func (r *Source) Parent() *manifest.Manifest {
	if r.Head.Base == nil {
		return nil
	}
	return r.Head.Base.Manifest
}
