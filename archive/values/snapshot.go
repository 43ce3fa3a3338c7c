package values

import (
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// NotArchived is a local file whose current content is not in a snapshot, and the reason.
type NotArchived struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// DefaultWhy is the reason of a hold if the caller gives none.
const DefaultWhy = "held by hand"

// Snapshot is one line of a listing.
type Snapshot struct {
	manifest.Summary           // only Sequence is set when Err is
	Err              error     // why the manifest is unreadable; nil if it was read
	Modified         time.Time // when it was committed, by the provider's clock
	Held             string    // why it is held, so that no retention removes it; empty without a hold
}

// Nested is an archive that lies within another one.
type Nested struct {
	Prefix  string `json:"prefix"`  // of its keys, below the other one's; it ends in "/"
	Objects int64  `json:"objects"` // below the prefix, as far as they were listed
}

// Below is an archive below an address that is none itself.
type Below struct {
	Prefix string    // of its keys, below the address; it ends in "/"
	Newest *Snapshot // its newest snapshot; nil if it has none, or with Err
	Err    error     // why its snapshots cannot be listed; nil if they can
}

// UnreadableError is the error for a snapshot, selected as the newest or by a time, whose manifest cannot be read. It
// wraps ErrDamaged. The manifest may be damaged, or an outsider's: no older snapshot is taken in its place unasked.
type UnreadableError struct {
	Sequence int64 // of the snapshot
	Older    int64 // the next older snapshot that can be read; 0 if none was found
	Err      error // why it cannot be read
}

func (u *UnreadableError) Error() string {
	if u.Older == 0 {
		return u.Err.Error()
	}
	return fmt.Sprintf("%v; snapshot %d is the newest before it that can be read", u.Err, u.Older)
}

// Unwrap returns why the snapshot cannot be read.
func (u *UnreadableError) Unwrap() error { return u.Err }
