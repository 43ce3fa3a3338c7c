package archive_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Archived answers a cleaner by the content that a file has now. The name, size and time are not
// enough, and a doubtful file is not reported as archived.
func TestArchived(t *testing.T) {
	t.Parallel()
	store := storetest.Memory(t)
	a := archive.New(store, archive.Options{})
	db := newJELog(t, 3)
	db.fill(8)
	db.rewrite(1, func(b []byte) { b[len(b)-1] ^= 1 })
	if res := db.backup(a, source.LayoutOptions{}); len(res.Damaged) != 1 {
		t.Fatalf("%+v", res)
	}
	m := newest(t, a)
	key := m.Files[7].Parts[0].Object
	if err := deleteKeys(store, key); err != nil {
		t.Fatal(err)
	}
	if v, err := a.Verify(t.Context(), archive.VerifyOptions{Proof: true, Tool: "test"}); err != nil || len(v.Problems) != 1 {
		t.Fatalf("%+v, %v", v, err)
	}
	// Opening a pipe without a writer blocks.
	if err := errors.Join(os.Remove(db.path(4)), unix.Mkfifo(db.path(4), 0o600), os.Remove(db.path(5))); err != nil {
		t.Fatal(err)
	}
	db.rewrite(2, func(b []byte) { b[len(b)/2] ^= 1 }) // of the same size and time
	db.set(3, append(db.content(3), 0))
	for n, want := range map[int]string{
		0: "", 1: "damaged when it was archived", 2: "other content", 3: "other content", 4: "no regular file", 5: "cannot be read", 6: "",
		7: "missing or damaged", 8: "still being written", 9: "snapshot 1 has no",
	} {
		missing, err := a.Archived(t.Context(), m, db.dir, []string{db.path(n)})
		switch {
		case err != nil:
			t.Errorf("%d: %v", n, err)
		case want == "" && len(missing) > 0, want != "" && (len(missing) != 1 || !strings.Contains(missing[0].Why, want)):
			t.Errorf("%d: %+v, want %q", n, missing, want)
		}
	}
	var all []string
	for n := range 9 {
		all = append(all, name(n)) // as the archive names them
	}
	if missing, err := a.Archived(t.Context(), m, db.dir, all); err != nil || len(missing) != 7 {
		t.Errorf("%+v, %v", missing, err)
	}
}
