package main

import (
	"fmt"
	"sync"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
)

// transferLimits hands out the bandwidth that archives have: those that were configured with the
// same one share it.
type transferLimits struct {
	mu     *sync.Mutex
	all    *providers.Bandwidth            // from the command line, for all together
	forced bool                            // the command line says what holds, be it no limit
	shared map[string]*providers.Bandwidth // by config.Bandwidth.ID
}

// newTransferLimits takes the rate from the command line, which may be empty.
func newTransferLimits(rate string) (transferLimits, error) {
	l := transferLimits{mu: &sync.Mutex{}, shared: map[string]*providers.Bandwidth{}, forced: rate != ""}
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
func (l *transferLimits) of(b *config.Bandwidth) *providers.Bandwidth {
	if l.forced || b == nil {
		return l.all
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shared[b.ID()] == nil {
		l.shared[b.ID()] = providers.NewBandwidth(b.At)
	}
	return l.shared[b.ID()]
}
