package strongroom_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/strongroom-dev/strongroom"
)

// From nothing to a snapshot, and back. The URL could be s3://bucket/orders?region=eu-central-1 just as well.
func Example() {
	ctx, dir := context.Background(), logFiles()
	defer os.RemoveAll(dir)

	a, err := strongroom.Open(ctx, "mem://example/library", dir)
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	res, err := a.Backup(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("snapshot", res.Snapshot.Sequence, "has", res.Snapshot.Counts.Files, "files")

	back, err := a.Restore(ctx, filepath.Join(dir, "restored"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("restored", back.Files, "files")
	// Output:
	// snapshot 1 has 3 files
	// restored 3 files
}

// logFiles makes a directory with three closed log files and one that is being written.
func logFiles() string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	for n := 1; n <= 4; n++ {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("log.%010d", n)), []byte("log entries\n"), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return dir
}
