package scan

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
)

// worn is a disk that can be read once.
type worn struct {
	content []byte
	left    int
}

func (w *worn) ReadAt(b []byte, at int64) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, unix.EIO
	}
	return copy(b, w.content[at:]), nil
}

// The bytes after the last whole entry of a tail are read again, to find out whether they are damaged. If the disk fails
// then, the tail must not be archived as one that merely ends early.
func TestTailThatCannotBeReadAgainIsNotArchived(t *testing.T) {
	t.Parallel()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "je"})
	if err != nil {
		t.Fatal(err)
	}
	log := entriestest.NewJE(26, 0, 0)
	for range 3 {
		log.Add(entriestest.JERecord, make([]byte, 300))
	}
	b := log.Bytes[:len(log.Bytes)-100]
	f := &source.File{Name: "00000000.jdb", Size: int64(len(b)), State: source.Tail}
	if _, err := NewScanner(f, layout).File(t.Context(), &worn{b, len(b)}, f.Size, 0, TailBefore{}); !errors.Is(err, unix.EIO) {
		t.Errorf("%v, want EIO", err)
	}
	if _, err := NewScanner(f, layout).File(t.Context(), &worn{b, 1 << 30}, f.Size, 0, TailBefore{}); err != nil {
		t.Errorf("a disk that can be read: %v", err)
	}
}
