package gcs

import (
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// open opens a URL for a test.
func open(t *testing.T, url string, o cloud.Options) cloud.Bucket {
	t.Helper()
	b, err := Open(t.Context(), url, o)
	return storetest.Opened(t, b, err)
}

// patience is the deadline of a wait. It is far longer than any operation takes.
const patience = 5 * time.Minute
