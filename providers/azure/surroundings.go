package azure

import (
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.SurroundingsLister = (*adapter)(nil)

// Surroundings implements store.SurroundingsLister.
func (s *adapter) Surroundings() []store.Place {
	return cloud.Surroundings("azblob", s.container, s.prefix, func(prefix string, w cloud.RedactedURL) store.Store {
		return &adapter{
			RedactedURL: w, client: s.client, container: s.container, prefix: prefix, timeout: s.timeout,
			blocks: s.blocks, transport: s.transport, counter: s.counter,
		}
	})
}
