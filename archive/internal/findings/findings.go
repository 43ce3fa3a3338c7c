package findings

import (
	"sync"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
)

// Findings are the verification records of an archive, and what they name as missing or damaged, as far as that is
// known to be so still. The methods may be called from several goroutines.
type Findings struct {
	*objects.Objects

	mu      sync.Mutex
	damage  *DamageLog // what the verification records name, as far as they were read
	settled settled    // which of that is still so in the newest snapshot
}

// New returns the findings of the archive with these objects. It sends no request.
func New(o *objects.Objects) *Findings { return &Findings{Objects: o} }
