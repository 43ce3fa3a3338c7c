package manifest

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// The golden files are an archive as it is stored in a bucket, but for the data. To rewrite them,
// which only a new version of the format justifies:
//
//	go test ./manifest -run Golden -update
var update = flag.Bool("update", false, "rewrite the golden files")

const goldenDir = "../testdata/golden"

func golden(t *testing.T, key string, got []byte) {
	t.Helper()
	path := filepath.Join(goldenDir, filepath.FromSlash(key))
	if *update {
		writeGolden(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: encoded as\n%s\nnot as\n%s", key, got, want)
	}
}

func writeGolden(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestGoldenManifest(t *testing.T) {
	t.Parallel()
	m := testManifest()
	data := mustEncode(t, m)
	golden(t, ManifestKey(42), data)
	got, err := DecodeManifest(data, 42)
	if err != nil || !sameManifest(got, m) {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestGoldenRecord(t *testing.T) {
	t.Parallel()
	data := mustEncode(t, testRecord())
	golden(t, LedgerKey(7), data)
	if got, err := DecodeRecord(data, 7); err != nil || !reflect.DeepEqual(got, testRecord()) {
		t.Errorf("%v: %+v", err, got)
	}
}

func TestGoldenArchive(t *testing.T) {
	t.Parallel()
	data := mustEncode(t, testArchive())
	golden(t, ArchiveKey, data)
	if got, err := DecodeArchive(data); err != nil || !reflect.DeepEqual(got, testArchive()) {
		t.Errorf("%v: %+v", err, got)
	}
}

// A page's plain content is the format's; how it is compressed is the library's own
// business, so the stored bytes are those of the golden file.
func TestGoldenPages(t *testing.T) {
	t.Parallel()
	files := manyFiles(501)
	c := NewPageCodec()
	m := testManifest()
	m.Sequence, m.Parent, m.Recipients = 1, nil, nil
	m.Files = files
	recount(m)
	m.Files = nil
	m.ConsistentThrough = &Point{files[500].Name, files[500].Size}
	for _, run := range [][]File{files[:250], files[250:]} {
		plain, err := encodePage(run, 1)
		if err != nil {
			t.Fatal(err)
		}
		key := PageKey(Sum(plain), 1)
		path := filepath.Join(goldenDir, filepath.FromSlash(key))
		if *update {
			_, stored, err := c.Encode(run, 1)
			if err != nil {
				t.Fatal(err)
			}
			writeGolden(t, path, stored)
		}
		stored, err := os.ReadFile(path)
		if err != nil {
			t.Fatalf("the plain content of a page is no longer what it was: %v", err)
		}
		if !bytes.Equal(unzstd(t, stored), plain) {
			t.Errorf("%s holds something else", key)
		}
		ref := PageRef{key, Sum(plain), StoredSumsOf(stored), len(run), run[0].Name, run[len(run)-1].Name}
		if got, err := c.Decode(stored, &ref, 1); err != nil || !sameFiles(got, run) {
			t.Errorf("%s: %v", key, err)
		}
		m.Pages = append(m.Pages, ref)
	}
	data := mustEncode(t, m)
	golden(t, ManifestKey(1), data)
	got, err := DecodeManifest(data, 1)
	if err != nil || !reflect.DeepEqual(got.Pages, m.Pages) || got.CheckFiles(files) != nil {
		t.Errorf("%v: %+v", err, got)
	}
	if got != nil && got.CheckFiles(files[1:]) == nil {
		t.Error("a missing entry is not noticed")
	}
}

func unzstd(t *testing.T, b []byte) []byte {
	t.Helper()
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	plain, err := d.DecodeAll(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
