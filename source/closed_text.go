package source

import "fmt"

// ClosedRule says, for people, when a file of the layout counts as closed.
func (l Layout) ClosedRule() string {
	if l.quiet > 0 {
		return fmt.Sprintf("it has not changed for %v", l.quiet)
	}
	if l.entries {
		return "a file after it holds an entry"
	}
	return "it is not the newest of its sequence"
}

// OpenReason says, for people, why a file of the layout is taken along as a tail.
func (l Layout) OpenReason() string {
	if l.entries {
		return "it is the newest that holds entries, and being written; it is taken along up to its last whole entry"
	}
	return "it is the newest of its sequence; what it holds at the moment is taken along"
}
