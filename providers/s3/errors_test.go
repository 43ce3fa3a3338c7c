package s3

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// An error of the operating system states what to do. answers_test.go has the answers of services.
func TestAdvice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("writing: %w", &fs.PathError{Op: "write", Path: "/a", Err: syscall.ENOSPC}), "make room"},
		{&fs.PathError{Op: "mkdir", Path: "/a", Err: syscall.EROFS}, "read-only"},
		{&fs.PathError{Op: "open", Path: "/a", Err: syscall.EACCES}, "needs access"},
		{&os.LinkError{Op: "link", Old: "/a", New: "/b", Err: syscall.EPERM}, "needs access"},
	} {
		if got := dialect.Wrap("w", "putting", "k", c.err).Error(); !strings.Contains(got, "; ") || !strings.Contains(got, c.want) {
			t.Errorf("%q does not contain %q", got, c.want)
		}
	}
	gone := (&cloud.Error{Op: "listing", Where: "azblob://c/x", Kind: cloud.NoBucket}).Error()
	if !strings.Contains(gone, "the container does not exist") {
		t.Error(gone)
	}
}
