package source

import "fmt"

// ClosedRule returns a description, for people, of when a file of the layout is closed.
func (l Layout) ClosedRule() string {
	if l.byQuiet && l.quiet == 0 {
		return "it is there, since the quiet time is 0"
	}
	if l.byQuiet {
		return fmt.Sprintf("it has not changed for %v", l.quiet)
	}
	if l.entries {
		return "a later file has an entry"
	}
	return "it is not the newest of its sequence"
}

// OpenReason returns a description, for people, of why a file of the layout is a tail.
func (l Layout) OpenReason() string {
	if l.entries {
		return "it is the newest file with entries, which is being written; " +
			"a snapshot includes it up to its last whole entry"
	}
	return "it is the newest of its sequence; a snapshot includes its current content"
}
