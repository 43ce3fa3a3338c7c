package localstate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// The files of a place are named after its address. A later version writes the address of some archives in another form:
// what this host remembered of them must not be forgotten, since a lost archive would then be begun again.
func TestTheFormerFormOfAPlace(t *testing.T) {
	t.Parallel()
	dir, id, other := t.TempDir(), strings.Repeat("a", 32), strings.Repeat("b", 32)
	before := &State{Dir: dir, Place: "s3://b"}
	now := &State{Dir: dir, Place: "s3://b#0123", Former: "s3://b"}
	if id, err := now.AtPlace(); err != nil || id != "" || now.CheckPlace() != nil {
		t.Fatalf("%q, %v", id, err)
	}
	pin := Pin{Newest: manifest.Ref{Sequence: 7, SHA256: manifest.Sum([]byte("7"))}}
	if err := errors.Join(before.SavePlace(id), before.SavePin(id, pin)); err != nil {
		t.Fatal(err)
	}
	if got, err := now.AtPlace(); err != nil || got != id {
		t.Errorf("%q, %v", got, err)
	}
	if err := now.CheckPlace(); !errors.Is(err, store.ErrGone) || !strings.Contains(err.Error(), before.placePath()) {
		t.Errorf("%v", err)
	}
	if p, ok, err := now.LoadPin(id); err != nil || !ok || p.Newest != pin.Newest {
		t.Errorf("%+v, %v, %v", p, ok, err)
	}
	pin.Newest.Sequence = 8
	if err := errors.Join(now.SavePlace(other), now.SavePin(id, pin)); err != nil {
		t.Fatal(err)
	}
	if got, err := now.AtPlace(); err != nil || got != other {
		t.Errorf("%q, %v", got, err)
	}
	if p, ok, err := now.LoadPin(id); err != nil || !ok || p.Newest.Sequence != 8 {
		t.Errorf("%+v, %v, %v", p, ok, err)
	}
	if err := os.Remove(before.PinPath(id)); err != nil {
		t.Errorf("the former file was changed: %v", err)
	}
}

// A state directory, or a file in it, that is a link to a disk which is not mounted does not count as missing: what this
// host remembers shows that an archive was emptied or replaced.
func TestLinksToNothingAreUnread(t *testing.T) {
	t.Parallel()
	top, id := t.TempDir(), strings.Repeat("a", 32)
	link := filepath.Join(top, "state")
	if err := os.Symlink(filepath.Join(top, "unmounted"), link); err != nil {
		t.Fatal(err)
	}
	s := &State{Dir: link, Place: "s3://b"}
	if _, err := s.AtPlace(); !errors.Is(err, ErrUnread) {
		t.Errorf("the place: %v", err)
	}
	if _, _, err := s.LoadPin(id); !errors.Is(err, ErrUnread) {
		t.Errorf("the pin: %v", err)
	}
	files := &State{Dir: t.TempDir(), Place: "s3://b"}
	if err := os.Symlink("nothing", files.placePath()); err != nil {
		t.Fatal(err)
	}
	if _, err := files.AtPlace(); !errors.Is(err, ErrUnread) {
		t.Errorf("a link in place of a file: %v", err)
	}
}
