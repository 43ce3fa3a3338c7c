package archive_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// contentRead counts what is read of log files.
type contentRead struct {
	store.Store
	requests, bytes atomic.Int64
}

func (c *contentRead) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := c.Store.Get(ctx, key, offset, length)
	if err != nil || !strings.HasPrefix(key, manifest.DataPrefix) && !strings.HasPrefix(key, manifest.BundlesPrefix) {
		return r, err
	}
	c.requests.Add(1)
	return &countedBody{r, &c.bytes}, nil
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *countedBody) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// A preview of encrypted files reads no log file, and reports the identity that they need. The
// restore itself finds out by headers whether it can decrypt them, not by reading a file twice.
func TestRestoreReadsEncryptedFilesOnce(t *testing.T) {
	t.Parallel()
	id, other := newIdentity(t), newIdentity(t)
	store := &contentRead{Store: storetest.Memory(t)}
	db := newDatabase(t, t.TempDir(), 7)
	db.fill(3, 2<<20)
	mustBackup(t, archive.New(store, archive.Options{Encoder: encoder(t, encoding.None, id)}), db)
	mine := archive.New(store, archive.Options{Decoder: decoder(other, id)})
	m := newest(t, mine)
	to := filepath.Join(t.TempDir(), "r")

	res, err := mine.Restore(t.Context(), m, to, archive.RestoreOptions{DryRun: true})
	if err != nil || res.Bytes != m.Counts.Bytes || res.Requests != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, d := range []*encoding.Decoder{decoder(), decoder(other)} {
		_, err = archive.New(store, archive.Options{Decoder: d}).Restore(t.Context(), m, to, archive.RestoreOptions{DryRun: true})
		if !errors.Is(err, archive.ErrNoIdentity) || !strings.Contains(err.Error(), id.Recipient().String()) {
			t.Errorf("%v", err)
		}
	}
	if n := store.requests.Load(); n > 0 {
		t.Errorf("previews read log files, with %d requests", n)
	}
	if _, err := mine.Restore(t.Context(), m, to, archive.RestoreOptions{Include: []string{name(0)}}); err != nil {
		t.Fatal(err)
	}
	compare(t, to, map[string][]byte{name(0): db.files[name(0)]})
	if n, most := store.bytes.Load(), m.Files[0].Parts[0].Stored.Size+encoding.HeadSize; n > most {
		t.Errorf("%d bytes were read, and there are %d", n, most)
	}
}

// A preview reports the free space also where it is too little, whether the target exists or not;
// the restore refuses to begin.
func TestPreviewOfTooLittleSpace(t *testing.T) {
	t.Parallel()
	mount := smallDisk(t)
	db := newDatabase(t, t.TempDir(), 41)
	db.fill(4, 50_000)
	a := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, a, db)
	there := filepath.Join(mount, "there")
	mkdir(t, there)
	for _, dir := range []string{there, filepath.Join(mount, "new")} {
		res, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{DryRun: true})
		if err != nil || res.Free < 0 || res.Free >= res.Bytes || res.Requests != 4 {
			t.Errorf("%s: %+v, %v", dir, res, err)
		}
		if _, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{}); !errors.Is(err, archive.ErrNoSpace) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
