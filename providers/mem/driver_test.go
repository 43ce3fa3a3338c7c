package mem

import (
	"context"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/drivertest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// gocloud's conformance suite. So any program may rely on what the driver returns.
func TestDriverConformance(t *testing.T) {
	t.Parallel()
	m := &memory{objects: map[string]object{}}
	drivertest.Run(t, func(*testing.T) drivertest.Subject {
		return drivertest.Subject{
			Driver: &bucketDriver{cloud.Driver{Dialect: dialect}, m}, KeepsOddKeys: true,
			Put: func(_ context.Context, key string, content []byte) error {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.create(key, content, storetest.SumsOf(content))
				return nil
			},
			Delete: func(_ context.Context, key string) error {
				m.mu.Lock()
				defer m.mu.Unlock()
				delete(m.objects, key)
				return nil
			},
		}
	})
}
