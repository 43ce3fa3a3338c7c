package archive_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/source"
)

// Most of a database was deleted, and nothing new begun: a backup stops, also if one page has all of its files. A
// snapshot would count, and a retention could delete those that have the files.
func TestMostFilesAreGoneBesideAnIntactPage(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 3)
	db.fill(2000, 3)
	src := db.sourceOf(source.LayoutOptions{Name: "je", NoEntries: true})
	w := newBothWays(t, false)
	w.backup("the first", src, options)
	w.backup("again", src, options)
	intact, closed := w.base[len(w.base)/2], db.closed()
	for _, name := range closed[1 : len(closed)-1] {
		if name < intact.First || name > intact.Last {
			db.remove(name)
		}
	}
	w.backup("most are gone", src, options)
	if _, err := w.open().Backup(t.Context(), src, options); !errors.Is(err, archive.ErrMissingFiles) {
		t.Errorf("%v", err)
	}
}

// An outsider or a rule of the bucket removes or cuts a page in whose range nothing has changed. The next backup makes
// a snapshot that has all pages. One that names the page again could not be restored, nor could any after it.
func TestLostPageOfUnchangedFilesIsStoredAgain(t *testing.T) {
	t.Parallel()
	for what, content := range map[string]string{"removed": "", "cut": "x"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, t.TempDir(), 4)
			db.fill(2000, 3)
			w := newBothWays(t, false)
			mustBackup(t, w.open(), db)
			mustBackup(t, w.open(), db)
			lost := newest(t, w.open()).Pages[0].Object
			w.few.Remove(lost)
			if content != "" {
				w.few.Replace(lost, []byte(content))
			}
			res := mustBackup(t, w.open(), db)
			if !res.Committed || !strings.Contains(strings.Join(res.Warnings, "\n"), "cannot be read") {
				t.Errorf("committed: %v, warnings %q", res.Committed, res.Warnings)
			}
			mustRestore(t, w.open(), 0, filepath.Join(t.TempDir(), "restored"), db.files)
		})
	}
}
