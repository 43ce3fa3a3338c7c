package source

import "fmt"

// ClosedRule says, for people, when a file of the layout counts as closed.
func (l Layout) ClosedRule() string {
	if l.quiet > 0 {
		return fmt.Sprintf("it has not changed for %v", l.quiet)
	}
	return "it is not the newest of its sequence"
}

// OpenReason says, for people, why a file of the layout is taken along as a tail.
func (l Layout) OpenReason() string {
	return "it is the newest of its sequence; what it holds at the moment is taken along"
}
