package mem

import (
	"fmt"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	n := time.Now().UnixNano() // objects stay in memory when the test is run again
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return open(t, fmt.Sprintf("mem://conformance/a/%d", n), cloud.Options{})
	}, storetest.Options{Checksums: true, HashesAll: true})
}
