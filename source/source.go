package source

import "time"

// State says what is known of a file's end.
type State int

// The states of a file.
const (
	Closed State = iota // the database writes to it no more
	Tail                // the file being written: its first Size bytes are taken along
)

// String returns "closed" or "tail".
func (s State) String() string {
	if s == Tail {
		return "tail"
	}
	return "closed"
}

// File is one log file as it was captured.
type File struct {
	Name     string    // path below the source, slash-separated
	Size     int64     // bytes; of a tail, its size at capture
	Modified time.Time // UTC
	State    State
}
