package gcs

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func TestGCS(t *testing.T) {
	t.Parallel()
	server := storetest.NewGCS(t)
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return open(t, strings.Replace(server.URL, "?", fmt.Sprintf("/%d?", n), 1), cloud.Options{})
	}, storetest.Options{Checksums: true, HashesAll: true, Boundary: cloud.SingleMax, Part: chunkSize, IgnoresVersions: true})
}

// docs/providers.md states what check reports for the emulator: two of its faults, and nothing else.
func TestGCSCheck(t *testing.T) {
	t.Parallel()
	got := map[string]storecheck.Outcome{}
	err := storecheck.Probe(t.Context(), open(t, storetest.GCS(t), cloud.Options{}), func(f storecheck.Finding) {
		t.Logf("%-8s%s: %s", f.Result, f.Probe, f.Detail)
		if f.Result != storecheck.Good {
			got[f.Probe] = f.Result
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := (map[string]storecheck.Outcome{"order": storecheck.Failed, "conditional delete": storecheck.Note}); !maps.Equal(got, want) {
		t.Errorf("check reports %v, want %v", got, want)
	}
}

// Each operation distinguishes a missing bucket from a missing key.
func TestGCSMissingBucket(t *testing.T) {
	t.Parallel()
	server := storetest.NewGCS(t)
	gone := open(t, strings.Replace(server.URL, server.Bucket, server.Bucket+"-gone", 1), cloud.Options{})
	_, putErr := storetest.PutBytes(t, gone, "a", []byte("a"))
	_, largeErr := storetest.PutBytes(t, gone, "a", make([]byte, cloud.SingleMax+1))
	_, getErr := gone.Get(t.Context(), "a", 0, -1)
	_, emptyErr := gone.Get(t.Context(), "a", 0, 0)
	_, statErr := gone.Stat(t.Context(), "a")
	var listErr error
	for _, listErr = range gone.List(t.Context(), "", "", "") {
	}
	deleteErr := gone.Delete(t.Context(), store.AnyVersion("a"))
	for what, err := range map[string]error{
		"Put": putErr, "Put of chunks": largeErr, "Get": getErr, "Get of nothing": emptyErr,
		"Stat": statErr, "List": listErr, "Delete": deleteErr,
	} {
		if !errors.Is(err, cloud.ErrNoBucket) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s without a bucket: %v", what, err)
		}
	}
	there := open(t, server.URL, cloud.Options{})
	if _, err := there.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, cloud.ErrNoBucket) {
		t.Errorf("Stat without an object: %v", err)
	}
}

// List and Stat return the MD5 and the storage class, too. Keys are those that Put received, even if a portable layer would
// unescape them.
func TestGCSAttributes(t *testing.T) {
	t.Parallel()
	server := storetest.NewGCS(t)
	b := open(t, server.URL, cloud.Options{})
	const key, sum = "a/__0x41__b", "9a0364b9e99bb480dd25e1f0284c8555" // MD5 of "content"
	if _, err := storetest.PutBytes(t, b, key, []byte("content")); err != nil {
		t.Fatal(err)
	}
	o, err := b.Stat(t.Context(), key)
	if err != nil || o.MD5 != sum || o.Class != "STANDARD" || o.CRC32C == nil || *o.CRC32C != storetest.SumsOf([]byte("content")).CRC32C {
		t.Errorf("Stat: %+v, %v", o, err)
	}
	for o, err := range b.List(t.Context(), "a/", "", "") {
		if err != nil || o.Key != key || o.MD5 != sum || o.Class != "STANDARD" || o.CRC32C == nil || o.Modified.IsZero() {
			t.Errorf("List: %+v, %v", o, err)
		}
	}
	made, err := server.Client.Bucket(server.Bucket).Object(server.Prefix + key).Attrs(t.Context())
	if err != nil || made.ContentType != "application/octet-stream" {
		t.Errorf("%+v, %v", made, err)
	}
}

// An object with the content encoding gzip is read as it is stored, also in ranges.
func TestGCSNothingIsUnpacked(t *testing.T) {
	t.Parallel()
	server := storetest.NewGCS(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("content"))
	z.Close()
	w := server.Client.Bucket(server.Bucket).Object(server.Prefix + "a").NewWriter(t.Context())
	w.ContentEncoding = "gzip"
	w.Write(packed.Bytes())
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b := open(t, server.URL, cloud.Options{})
	for _, from := range []int64{0, 5} {
		r, err := b.Get(t.Context(), "a", from, -1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, packed.Bytes()[from:]) {
			t.Errorf("from %d on: %d bytes of %d, %v", from, len(got), packed.Len(), err)
		}
	}
}
