package archive_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// checkpoint makes a directory as RocksDB makes a checkpoint: hard links to tables, which are old,
// and new files that name them.
func checkpoint(t *testing.T) (dir string) {
	t.Helper()
	db, dir := t.TempDir(), t.TempDir()
	write(t, db, "000008.sst", "table")
	then := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(db, "000008.sst"), then, then); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(db, "000008.sst"), filepath.Join(dir, "000008.sst")); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"000009.log", "CURRENT", "MANIFEST-000005", "OPTIONS-000007"} {
		write(t, dir, n, n)
	}
	return dir
}

func openDir(t *testing.T, dir string, o source.LayoutOptions) *source.Directory {
	t.Helper()
	layout, err := source.NewLayout(o)
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func omitted(res *archive.BackupResult) []string {
	var names []string
	for _, o := range res.Omitted {
		names = append(names, o.Name)
	}
	return names
}

// A checkpoint that was just made is four young files of five. What is left out must be named in
// the result, and the snapshot must be marked: it opens no database. The next one, of all files, is
// not marked.
func TestOmittedFilesAreNamedAndMarked(t *testing.T) {
	t.Parallel()
	dir := checkpoint(t)
	young := []string{"000009.log", "CURRENT", "MANIFEST-000005", "OPTIONS-000007"}
	a := archive.New(storetest.Memory(t), archive.Options{})
	quiet := source.LayoutOptions{Name: "files", Pattern: `.*`, Quiet: time.Hour}
	for _, dry := range []bool{true, false} {
		o := options
		o.DryRun = dry
		res, err := a.Backup(t.Context(), openDir(t, dir, quiet), o)
		if err != nil || !slices.Equal(omitted(res), young) || len(res.LeftOut) > 0 {
			t.Fatalf("omitted %v, left out %v: %v", omitted(res), res.LeftOut, err)
		}
		if w := strings.Join(res.Warnings, "\n"); !strings.Contains(w, "4 files") || !strings.Contains(w, "000009.log") {
			t.Errorf("warnings: %s", w)
		}
		if why := res.Omitted[1].Why; !strings.Contains(why, "has not changed for 1h0m0s") {
			t.Errorf("why: %s", why)
		}
	}
	want := manifest.LeftOut{Files: 4, Example: "000009.log"}
	if s := mustList(t, a)[0]; s.LeftOut == nil || *s.LeftOut != want {
		t.Errorf("the listing has %+v", s.LeftOut)
	}
	// A run without changes makes no snapshot, and still reports them.
	res, err := a.Backup(t.Context(), openDir(t, dir, quiet), options)
	if err != nil || res.Committed || !slices.Equal(omitted(res), young) {
		t.Errorf("committed %v, omitted %v: %v", res.Committed, omitted(res), err)
	}
	all := source.LayoutOptions{Name: "files", Pattern: `.*`, NoQuiet: true}
	res, err = a.Backup(t.Context(), openDir(t, dir, all), options)
	if err != nil || !res.Committed || len(res.Omitted)+len(res.Warnings) > 0 || res.Snapshot.Counts.Files != 5 {
		t.Errorf("with a quiet time of 0: %+v, %v", res, err)
	}
	if m := newest(t, a); m.LeftOut != nil || len(m.Files) != 5 {
		t.Errorf("%d files, left out %+v", len(m.Files), m.LeftOut)
	}
}

// Valkey's append-only directory names its files in a manifest, which is old, while the file that
// is being written is young. A restored set would lack it.
func TestOmittedFileThatAManifestNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	then := time.Now().Add(-time.Hour)
	for _, n := range []string{"appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.manifest"} {
		write(t, dir, n, n)
		if !strings.Contains(n, "incr") {
			if err := os.Chtimes(filepath.Join(dir, n), then, then); err != nil {
				t.Fatal(err)
			}
		}
	}
	a := archive.New(storetest.Memory(t), archive.Options{})
	src := openDir(t, dir, source.LayoutOptions{Name: "files", Pattern: `appendonly\..*`, Quiet: time.Hour})
	res, err := a.Backup(t.Context(), src, options)
	if err != nil || !slices.Equal(omitted(res), []string{"appendonly.aof.1.incr.aof"}) {
		t.Fatalf("omitted %v, %v", omitted(res), err)
	}
	if m := newest(t, a); m.LeftOut == nil || m.LeftOut.Example != "appendonly.aof.1.incr.aof" {
		t.Errorf("the manifest has %+v", m.LeftOut)
	}
}

// A database's newest file without an entry, or the one that is being written, is left out of
// every snapshot: marks of these would make the others worthless.
func TestNormallyLeftOutFilesAreNoMark(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 71)
	db.fill(2)
	write(t, db.dir, name(7), "")
	a := archive.New(storetest.Memory(t), archive.Options{})
	for what, o := range map[string]source.LayoutOptions{"with the tail": plain, "without": {Name: "je", NoTail: true}} {
		res, err := a.Backup(t.Context(), db.source(o), options)
		if err != nil || len(res.Omitted)+len(res.LeftOut) > 0 {
			t.Errorf("%s: omitted %v: %v", what, omitted(res), err)
		}
		if m := newest(t, a); m.LeftOut != nil {
			t.Errorf("%s: marked %+v", what, m.LeftOut)
		}
	}
}

// The file that is left out may have a name that no manifest can have. That must not prevent the
// snapshot of the other files.
func TestOmittedFileWithARefusedName(t *testing.T) {
	t.Parallel()
	for bad, example := range map[string]string{"a\nb": "a%0Ab", strings.Repeat("\x01", 90): "?", "\xff": "%FF"} {
		dir := t.TempDir()
		write(t, dir, "good", "good")
		write(t, dir, bad, "bad")
		then := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(dir, "good"), then, then); err != nil {
			t.Fatal(err)
		}
		a := archive.New(storetest.Memory(t), archive.Options{})
		src := openDir(t, dir, source.LayoutOptions{Name: "files", Pattern: `(?s).*`, Quiet: time.Hour})
		if _, err := a.Backup(t.Context(), src, options); err != nil {
			t.Errorf("%q: %v", bad, err)
			continue
		}
		if o := newest(t, a).LeftOut; o == nil || *o != (manifest.LeftOut{Files: 1, Example: example}) {
			t.Errorf("%q: %+v", bad, o)
		}
	}
}

// A re-encrypted copy of a marked snapshot is as incomplete as the original.
func TestReencryptedCopyKeepsTheMark(t *testing.T) {
	t.Parallel()
	from := archive.New(storetest.Memory(t), archive.Options{})
	if _, err := from.Backup(t.Context(), openDir(t, checkpoint(t), source.LayoutOptions{Name: "files", Pattern: `.*`, Quiet: time.Hour}), options); err != nil {
		t.Fatal(err)
	}
	to := archive.New(storetest.Memory(t), archive.Options{Encoder: encoder(t, encoding.None, newIdentity(t))})
	if _, err := archive.Reencrypt(context.Background(), from, to, archive.CopyOptions{Tool: "test", Scratch: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if o := newest(t, to).LeftOut; o == nil || *o != *newest(t, from).LeftOut {
		t.Errorf("the copy has %+v", o)
	}
}

// A node's name that no manifest can have, and a file that is too large for one, end a backup before
// it has sent anything, and a dry run too.
func TestImpossibleManifestEndsABackupEarly(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 72)
	db.fill(3, 100)
	store := storetest.Memory(t)
	a := archive.New(store, archive.Options{})
	refused := func(want string, o archive.BackupOptions) {
		t.Helper()
		for _, o.DryRun = range []bool{true, false} {
			if _, err := a.Backup(t.Context(), db.source(), o); !contains(err, want) {
				t.Errorf("dry run %v: %v", o.DryRun, err)
			}
		}
		if keys := store.Keys(""); len(keys) > 0 {
			t.Errorf("stored: %q", keys)
		}
	}
	for _, o := range []archive.BackupOptions{{}, {Node: "node"}, {Tool: "test"}} {
		if _, err := a.Backup(t.Context(), db.source(), o); !contains(err, "it is empty") || len(store.Keys("")) > 0 {
			t.Errorf("%+v: %v, and %q is stored", o, err, store.Keys(""))
		}
		o.DryRun = true
		if _, err := a.Backup(t.Context(), db.source(), o); err != nil {
			t.Errorf("a dry run: %v", err)
		}
	}
	refused("of the node: longer than", archive.BackupOptions{Node: strings.Repeat("n", 256), Tool: "test"})
	refused("of the tool: not valid", archive.BackupOptions{Node: "node", Tool: "a\x1bb"})
	if err := os.Truncate(filepath.Join(db.dir, name(1)), manifest.MaxFileSize+1); err != nil {
		t.Fatal(err)
	}
	refused(name(1)+" has 5497558138881 bytes", options)
}
