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
