package archive_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/store"
)

// Where a provider holds MD5s and no CRC-32C, as Azure does, those are compared.
func TestVerifyComparesMD5(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 78)
	db.fill(3, 100)
	w := newWeak(t)
	w.Plain = true
	reported := func(ctx context.Context, key string) (string, error) {
		r, err := w.InMemory.Get(ctx, key, 0, -1)
		if err != nil {
			return "", err
		}
		defer r.Close()
		sum := md5.New()
		_, err = io.Copy(sum, r)
		return hex.EncodeToString(sum.Sum(nil)), err
	}
	wrong := ""
	w.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
		stored, err := w.InMemory.Put(ctx, key, body, sums)
		if err == nil {
			stored.MD5, err = reported(ctx, key)
		}
		return stored, err
	}
	w.stat = func(ctx context.Context, key string) (store.Object, error) {
		o, err := w.InMemory.Stat(ctx, key)
		if err == nil {
			o.MD5, err = reported(ctx, key)
		}
		if key == wrong {
			o.MD5 = strings.Repeat("0", 32)
		}
		return o, err
	}
	a := archive.New(w, archive.Options{})
	mustBackup(t, a, db)
	r, err := a.Verify(t.Context(), archive.VerifyOptions{Checksums: true})
	if err != nil || len(r.Problems) != 0 || r.Compared == 0 || r.Uncompared != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for key := range w.Snapshot() {
		if strings.HasPrefix(key, "data/") {
			wrong = key
		}
	}
	r, err = a.Verify(t.Context(), archive.VerifyOptions{Checksums: true})
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Object != wrong || r.Problems[0].Kind != archive.ProblemChecksum || !strings.Contains(r.Problems[0].Detail, "MD5") {
		t.Errorf("%+v, %v", r, err)
	}
}
