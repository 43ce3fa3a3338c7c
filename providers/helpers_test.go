package providers

import (
	"bytes"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func sumsOf(b []byte) store.Sums { return storetest.SumsOf(b) }

func putBytes(t *testing.T, b cloud.Bucket, key string, content []byte) (store.PutResult, error) {
	t.Helper()
	return b.Put(t.Context(), key, bytes.NewReader(content), sumsOf(content))
}

// patience is the deadline of a wait. It is far longer than any operation takes.
const patience = 5 * time.Minute
