package main

import (
	"fmt"
	"sync"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
)

// transferLimits returns the bandwidth limit of each archive. Archives with the same configured
// limit share it. It is safe for concurrent use.
type transferLimits struct {
	mu     *sync.Mutex
	all    *providers.Bandwidth            // from the command line, shared by all archives; nil: no limit
	forced bool                            // the command line overrides the configuration
	shared map[string]*providers.Bandwidth // by config.Bandwidth.ID
}

// newTransferLimits parses the rate of the command line. An empty rate leaves the configured ones.
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

// of returns the limit of an archive whose configured bandwidth is b; nil means no limit.
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
