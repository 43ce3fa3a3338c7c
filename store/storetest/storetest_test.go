package storetest_test

import (
	"testing"

	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The store in memory keeps what the others must.
func TestMemory(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		storetest.Run(t, func(t *testing.T) store.Store {
			m := storetest.Memory(t)
			m.TolerateMismatch, m.Plain = true, plain
			return m
		}, storetest.Options{Checksums: !plain, HashesAll: true})
	}
}
