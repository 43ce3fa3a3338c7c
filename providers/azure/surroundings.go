package azure

import (
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.SurroundingsLister = (*adapter)(nil)

// Surroundings implements store.SurroundingsLister.
func (s *adapter) Surroundings() []store.Place {
	return cloud.Surroundings("azblob", s.container, s.Prefix, func(prefix string, w cloud.RedactedURL) store.Store {
		around := &adapter{
			RedactedURL: w, client: s.client, container: s.container, timeout: s.timeout,
			blocks: s.blocks, transport: s.transport, counter: s.counter,
		}
		around.read(prefix, s.Order)
		return around
	})
}
