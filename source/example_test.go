package source_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/source"
)

// logFiles makes a directory of log files; the newest is still being written.
func logFiles() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	for n := 1; n <= 3; n++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("log.%010d", n)), []byte("log entries\n"), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return dir, func() { os.RemoveAll(dir) }
}

// Take hold of the closed files of a database, and read them at leisure: they stay readable
// when its cleaner deletes them.
func Example() {
	dir, remove := logFiles()
	defer remove()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "bdb"})
	if err != nil {
		log.Fatal(err)
	}
	files, err := source.Open(dir, layout)
	if err != nil {
		log.Fatal(err)
	}
	capture, err := files.Capture(context.Background(), nil) // nil: all of them are wanted
	if err != nil {
		log.Fatal(err)
	}
	defer capture.Close()
	if err := os.Remove(filepath.Join(dir, "log.0000000001")); err != nil {
		log.Fatal(err)
	}
	for _, f := range capture.Files {
		content, err := capture.Open(f.Name)
		if err != nil {
			log.Fatal(err)
		}
		n, err := io.Copy(io.Discard, io.NewSectionReader(content, 0, f.Size))
		if err == nil {
			err = content.Unchanged() // otherwise what was read is not what was captured
		}
		if err != nil {
			log.Fatal(err)
		}
		content.Close()
		fmt.Println(f.Name, f.State, n, "bytes")
	}
	// Output:
	// log.0000000001 closed 12 bytes
	// log.0000000002 closed 12 bytes
}

// A database that runs in the same process can keep its cleaner from files for as long as
// they are being read.
func ExampleProtected() {
	dir, remove := logFiles()
	defer remove()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "bdb"})
	if err != nil {
		log.Fatal(err)
	}
	files, err := source.Open(dir, layout)
	if err != nil {
		log.Fatal(err)
	}
	protected := &source.Protected{
		Directory: files,
		Protect: func(names []string) (release func(), err error) {
			fmt.Println("the cleaner leaves alone", names)
			return func() { fmt.Println("it may have them again") }, nil
		},
	}
	capture, err := protected.Capture(context.Background(), nil) // archive.Backup does so with its source
	if err != nil {
		log.Fatal(err)
	}
	if err := capture.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// the cleaner leaves alone [log.0000000001 log.0000000002]
	// it may have them again
}
