package gcs

import (
	"bytes"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// open opens a URL for a test.
func open(t *testing.T, url string, o cloud.Options) cloud.Bucket {
	t.Helper()
	b, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

func sumsOf(b []byte) store.Sums { return storetest.SumsOf(b) }

func putBytes(t *testing.T, b cloud.Bucket, key string, content []byte) (store.PutResult, error) {
	t.Helper()
	return b.Put(t.Context(), key, bytes.NewReader(content), storetest.SumsOf(content))
}

// patience is the deadline of a wait. It is far longer than any operation takes.
const patience = 5 * time.Minute

// twoPages is a number of keys that a listing returns in two pages.
const twoPages = cloud.ListPage + 100
