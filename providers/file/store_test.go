package file

import (
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func TestFile(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, "file://"+t.TempDir()+"/new/archive", cloud.Options{})
	}, storetest.Options{HashesAll: true, Uploads: leftTemporary})
}

// A restore reads a directory as one stream, also with a counter around it: ranges would cost
// processor time for nothing.
func TestDirectoryIsReadAtFullRate(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]cloud.Options{"plain": {}, "counted": {Counter: &cloud.Counter{}}} {
		if b := open(t, "file://"+t.TempDir(), o); !isFullRate(b) {
			t.Errorf("%s: not a store.FullRate", what)
		}
	}
}

func isFullRate(s store.Store) bool {
	_, ok := s.(store.FullRate)
	return ok
}
