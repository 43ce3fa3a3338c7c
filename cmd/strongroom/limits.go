package main

import (
	"fmt"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
)

// limits hands out the bandwidth that archives have: those that were configured with the
// same one share it.
type limits struct {
	all    *providers.Bandwidth // from the command line, for all together
	forced bool                 // the command line says what holds, be it no limit
	shared map[*config.Bandwidth]*providers.Bandwidth
}

// newLimits takes the rate from the command line, which may be empty.
func newLimits(rate string) (limits, error) {
	l := limits{shared: map[*config.Bandwidth]*providers.Bandwidth{}, forced: rate != ""}
	if rate == "" {
		return l, nil
	}
	b, err := config.ParseBandwidth(rate)
	if err != nil {
		return l, usageError{fmt.Errorf("--bandwidth: %w", err)}
	}
	if b != nil {
		l.all = providers.NewBandwidth(b.At)
	}
	return l, nil
}

// of is what an archive has for which b was configured; nil is no limit.
func (l *limits) of(b *config.Bandwidth) *providers.Bandwidth {
	if l.forced || b == nil {
		return l.all
	}
	if l.shared[b] == nil {
		l.shared[b] = providers.NewBandwidth(b.At)
	}
	return l.shared[b]
}
