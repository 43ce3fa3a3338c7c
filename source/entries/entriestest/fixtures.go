// Package entriestest has the parts that the tests of packages je and noxu share: the log files of
// real databases, and the tests for every kind of log file.
package entriestest

import (
	"archive/tar"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// A LogFile is one file of a log.
type LogFile struct {
	Name  string
	Bytes []byte
}

// Number returns the number in the file's name.
func (f *LogFile) Number(t testing.TB) int64 {
	t.Helper()
	n, err := strconv.ParseInt(strings.TrimSuffix(f.Name, path.Ext(f.Name)), 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Fixture returns the log files of one environment in logs.tar.zst, in order. The archive is not
// part of the project, since real databases wrote the files. It is in the directory that
// STRONGROOM_FIXTURES names, by default shared/fixtures beside the project. Without it the test
// is skipped.
func Fixture(t testing.TB, environment string) []LogFile {
	t.Helper()
	dir := cmp.Or(os.Getenv("STRONGROOM_FIXTURES"), filepath.Join("..", "..", "..", "shared", "fixtures"))
	f, err := os.Open(filepath.Join(dir, "logs.tar.zst"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the log files of real databases are not here: %v; STRONGROOM_FIXTURES names their directory", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var files []LogFile
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		ext := path.Ext(h.Name)
		if path.Base(path.Dir(h.Name)) != environment || ext != ".jdb" && ext != ".ndb" {
			continue
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, LogFile{path.Base(h.Name), b})
	}
	if len(files) == 0 {
		t.Fatalf("%s has no environment %s", f.Name(), environment)
	}
	slices.SortFunc(files, func(a, b LogFile) int { return cmp.Compare(a.Name, b.Name) })
	return files
}
