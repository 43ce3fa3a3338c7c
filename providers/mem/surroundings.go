package mem

import (
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.SurroundingsLister = (*adapter)(nil)

// Surroundings implements store.SurroundingsLister.
func (s *adapter) Surroundings() []store.Place {
	return cloud.Surroundings("mem", s.name, s.Prefix, func(prefix string, w cloud.RedactedURL) store.Store {
		return newAdapter(s.memory, s.name, prefix, w)
	})
}
