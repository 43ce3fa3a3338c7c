package file_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers/file"
)

// A program that opens directories only links no cloud's SDK.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "strongroom-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	bucket, err := file.Open(context.Background(), "file://"+filepath.Join(dir, "archive"), file.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bucket.Close()
	_, err = archive.New(bucket, archive.Options{}).List(context.Background(), 0)
	fmt.Println(err)
	// Output: there is no archive here
}
