package providers

import (
	"time"
)

// patience is the deadline of a wait. It is far longer than any operation takes.
const patience = 5 * time.Minute
