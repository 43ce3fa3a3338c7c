package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stem returns the beginning of the names of a target's files, such as strongroom_0.1.0_linux_amd64.
func (r *release) stem(t target) string {
	return "strongroom_" + strings.TrimPrefix(r.version, "v") + "_" + t.os + "_" + t.arch
}

// writeArchive writes a target's files as a .tar.gz with one directory.
func (r *release) writeArchive(t target, files []file) error {
	kept := slices.DeleteFunc(slices.Clone(files), func(f file) bool {
		return t.os != "linux" && strings.HasPrefix(f.name, "systemd/")
	})
	content, err := compressedTar(r.stem(t), kept, r.date)
	if err != nil {
		return err
	}
	return r.write(r.stem(t)+".tar.gz", content)
}

// compressedTar returns the files below a directory as a .tar.gz. It depends on nothing but the arguments.
func compressedTar(dir string, files []file, date time.Time) ([]byte, error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b file) int { return strings.Compare(a.name, b.name) })
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: dir + "/" + f.name, Size: int64(len(f.content)), Mode: int64(f.mode),
			ModTime: date, Uname: "root", Gname: "root", Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("archiving %s: %w", f.name, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, fmt.Errorf("archiving %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("archiving: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return out.Bytes(), nil
}

// compressed returns a text in gzip's format, without a name and a time.
func compressed(text []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return out.Bytes(), nil
}

// write writes a file of the release.
func (r *release) write(name string, content []byte) error {
	if err := os.WriteFile(filepath.Join(r.out, name), content, 0o644); err != nil {
		return fmt.Errorf("writing a file of the release: %w", err)
	}
	return nil
}

// writeChecksums writes SHA256SUMS, which sha256sum -c reads.
func (r *release) writeChecksums() error {
	files, err := readDir(r.out, "")
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(f.content), f.name)
	}
	return r.write("SHA256SUMS", sums.Bytes())
}
