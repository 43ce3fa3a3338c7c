package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// namedFiles is a source of files whose content is their name.
type namedFiles struct {
	layout source.LayoutOptions
	names  []string
}

func (s *namedFiles) Layout() source.Layout {
	l, err := source.NewLayout(s.layout)
	if err != nil {
		panic(err)
	}
	return l
}

func (s *namedFiles) Capture(context.Context, func(source.File) bool) (*source.Capture, error) {
	then := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var files []source.File
	for _, name := range s.names {
		files = append(files, source.File{Name: name, Modified: then, Size: int64(len(name))})
	}
	return source.NewCapture(files, then.Add(time.Hour), func(f source.File) (source.Content, error) {
		return still{bytes.NewReader([]byte(f.Name))}, nil
	}), nil
}

// pageReads records which objects are read, and with how many requests.
type pageReads struct {
	store.Store
	mu      sync.Mutex
	pages   []string // keys of pages
	content []int64  // the lengths of the requests for content
}

func (p *pageReads) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case strings.HasPrefix(key, manifest.PagesPrefix):
		p.pages = append(p.pages, key)
	case strings.HasPrefix(key, manifest.DataPrefix), strings.HasPrefix(key, manifest.BundlesPrefix):
		p.content = append(p.content, length)
	}
	return p.Store.Get(ctx, key, offset, length)
}

// paged is an archive whose newest manifest has several pages, read without any memory of it.
type paged struct {
	t     *testing.T
	mem   *storetest.InMemory
	reads *pageReads
	ops   *storetest.Faulty
	whole *manifest.Manifest
}

func newPaged(t *testing.T, src archive.Source) *paged {
	t.Helper()
	p := &paged{t: t, mem: storetest.Memory(t)}
	a := archive.New(p.mem, archive.Options{})
	if res, err := a.Backup(t.Context(), src, options); err != nil || !res.Committed {
		t.Fatalf("%+v, %v", res, err)
	}
	if p.whole = newest(t, a); len(p.whole.Pages) < 3 {
		t.Fatalf("%d pages", len(p.whole.Pages))
	}
	return p
}

// open returns the archive as the next process opens it, with no request counted yet.
func (p *paged) open() *archive.Archive {
	p.reads = &pageReads{Store: p.mem}
	p.ops = storetest.NewFaulty(p.reads, -1, storetest.NotApplied)
	return archive.New(p.ops, archive.Options{})
}

// pageOf returns the key of the page that has a name.
func (p *paged) pageOf(name string) string {
	p.t.Helper()
	lo, hi := p.whole.PagesBetween(name, name)
	if hi != lo+1 {
		p.t.Fatalf("%d pages have %s", hi-lo, name)
	}
	return p.whole.Pages[lo].Object
}

// readOnly fails the test unless exactly these pages were read.
func (p *paged) readOnly(what string, pages ...string) {
	p.t.Helper()
	slices.Sort(p.reads.pages)
	slices.Sort(pages)
	if !slices.Equal(p.reads.pages, pages) {
		p.t.Errorf("%s: read the pages %q, not %q", what, p.reads.pages, pages)
	}
}

func flatNames(n int) (names []string) {
	for i := range n {
		names = append(names, name(i))
	}
	return names
}

var jeFiles = source.LayoutOptions{Name: "je", NoEntries: true, NoTail: true}

// The cost of one file of a snapshot must not depend on how many others the snapshot has: cat, show, archived and a
// restore of one name read the page that has it, one range of its bundle, and nothing else: at most eight requests.
func TestOneFileNeedsOnePage(t *testing.T) {
	t.Parallel()
	p := newPaged(t, &namedFiles{jeFiles, flatNames(3000)})
	want := name(1700)
	page := p.pageOf(want)
	oneRequest := func(what string) {
		t.Helper()
		p.readOnly(what, page)
		if !slices.Equal(p.reads.content, []int64{int64(len(want))}) {
			t.Errorf("%s: requests for content of %d bytes", what, p.reads.content)
		}
		if n := p.ops.Ops().Total(); n > 8 {
			t.Errorf("%s: %+v are more than 8 requests", what, p.ops.Ops())
		}
	}

	a := p.open()
	m, err := a.SnapshotOf(t.Context(), archive.Selector{}, []string{want})
	if err != nil || m.IsWhole() {
		t.Fatalf("%v", err)
	}
	var out bytes.Buffer
	if err := a.Cat(t.Context(), m, want, &out); err != nil || out.String() != want {
		t.Fatalf("%q, %v", &out, err)
	}
	oneRequest("cat")

	a = p.open()
	o := archive.RestoreOptions{Include: []string{want}}
	if m, err = a.SnapshotFor(t.Context(), archive.Selector{}, o.Include); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), o); err != nil {
		t.Fatal(err)
	}
	oneRequest("restore")

	for _, pattern := range []string{want, "000006a3.jdb..000006a4.jdb"} {
		a = p.open()
		if m, err = a.SnapshotFor(t.Context(), archive.Selector{}, []string{pattern}); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{filepath.Join(t.TempDir(), "new"), t.TempDir()} {
			res, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{Include: []string{pattern}})
			if err != nil || res.Files != len(pattern)/len(want) {
				t.Fatalf("%s: %+v, %v", pattern, res, err)
			}
		}
		p.readOnly(pattern, page)
	}
}

// A name that no page can have costs no page; one that a page can have and has not costs that page. Both are the error
// of a name that the snapshot does not have.
func TestAbsentNameNeedsAtMostOnePage(t *testing.T) {
	t.Parallel()
	names := slices.DeleteFunc(flatNames(3000), func(n string) bool { return n == name(1700) })
	p := newPaged(t, &namedFiles{jeFiles, names})
	for absent, pages := range map[string][]string{
		name(5000): nil, "": nil, "\xff\xfe.jdb": nil, name(1700): {p.pageOf(name(1700))},
		name(1699)[:8]: {p.pageOf(name(1699))}, name(1699) + ".jdb": {p.pageOf(name(1699))}, "000006A3.JDB": {p.pageOf(name(1699))},
	} {
		a := p.open()
		m, err := a.SnapshotOf(t.Context(), archive.Selector{}, []string{absent})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Cat(t.Context(), m, absent, io.Discard); !errors.Is(err, archive.ErrNoFile) {
			t.Errorf("%q: %v", absent, err)
		}
		if absent != "" {
			_, err = a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{Include: []string{absent}})
			if !errors.Is(err, archive.ErrNoFile) {
				t.Errorf("%q: %v", absent, err)
			}
		}
		p.readOnly(absent, pages...)
	}
}

// The memory for one file must not depend on how many others the snapshot has, as the entries of all of them took a
// third of a gigabyte for half a million. No other test may run at the same time: all allocations count.
func TestOneFileAllocatesLittle(t *testing.T) {
	p := newPaged(t, &namedFiles{jeFiles, flatNames(12_000)})
	want := name(7000)
	allocated := func(read func(a *archive.Archive) (*manifest.Manifest, error)) uint64 {
		a := p.open()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := read(a)
		if err == nil {
			err = a.Cat(t.Context(), m, want, io.Discard)
		}
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	whole := allocated(func(a *archive.Archive) (*manifest.Manifest, error) {
		return a.Snapshot(t.Context(), archive.Selector{})
	})
	one := allocated(func(a *archive.Archive) (*manifest.Manifest, error) {
		return a.SnapshotOf(t.Context(), archive.Selector{}, []string{want})
	})
	if one > 4<<20 || one > whole/2 {
		t.Errorf("%d bytes for one file, and %d for the whole list", one, whole)
	}
}

// An archive of few files has no pages, and its entries are in the manifest itself.
func TestOneFileOfAFewIsRead(t *testing.T) {
	t.Parallel()
	mem := storetest.Memory(t)
	a := archive.New(mem, archive.Options{})
	if _, err := a.Backup(t.Context(), &namedFiles{jeFiles, flatNames(5)}, options); err != nil {
		t.Fatal(err)
	}
	a = archive.New(mem, archive.Options{})
	m, err := a.SnapshotOf(t.Context(), archive.Selector{}, []string{name(2)})
	if err != nil || !m.IsWhole() || len(m.Files) != 5 {
		t.Fatalf("%+v, %v", m, err)
	}
	var out bytes.Buffer
	if err := a.Cat(t.Context(), m, name(4), &out); err != nil || out.String() != name(4) {
		t.Errorf("%q, %v", &out, err)
	}
	if err := a.Cat(t.Context(), m, name(5), io.Discard); !errors.Is(err, archive.ErrNoFile) {
		t.Error(err)
	}
}

// What a restore of everything would read is not known from some pages: the others are read.
func TestRestoreReadsOfPartOfAManifest(t *testing.T) {
	t.Parallel()
	p := newPaged(t, &namedFiles{jeFiles, flatNames(2300)})
	a := p.open()
	m, err := a.SnapshotOf(t.Context(), archive.Selector{}, []string{name(1)})
	if err != nil || m.IsWhole() {
		t.Fatal(err)
	}
	some, err := a.RestoreReads(t.Context(), m, 0)
	if err != nil {
		t.Fatal(err)
	}
	all, err := a.RestoreReads(t.Context(), p.whole, 0)
	if err != nil || len(all.Reads) == 0 || !slices.Equal(some.Reads, all.Reads) {
		t.Errorf("%+v, want %+v; %v", some, all, err)
	}
}

// Without all pages the one that is used is still proved: a page that is damaged, or is another valid page, is an error
// that names the newest snapshot which can be read. Damage in other pages does not keep the file from its reader.
func TestOnePageIsChecked(t *testing.T) {
	t.Parallel()
	p := newPaged(t, &namedFiles{jeFiles, flatNames(3000)})
	first, last := p.whole.Pages[0].Object, p.whole.Pages[len(p.whole.Pages)-1].Object
	for what, harm := range map[string]func(b []byte) []byte{
		"a flipped bit":   flipped,
		"another page":    func([]byte) []byte { return p.mem.Snapshot().Bytes(last) },
		"an empty object": func([]byte) []byte { return nil },
	} {
		q := *p
		q.mem = p.mem.Clone()
		b := harm(p.mem.Snapshot().Bytes(first))
		q.mem.Damage(first, func([]byte) []byte { return b })
		a := q.open()
		var unreadable *archive.UnreadableError
		_, err := a.SnapshotOf(t.Context(), archive.Selector{}, []string{name(1)})
		if !errors.Is(err, archive.ErrDamaged) || !errors.As(err, &unreadable) || !contains(err, first) {
			t.Errorf("%s: %v", what, err)
		}
		m, err := a.SnapshotOf(t.Context(), archive.Selector{}, []string{name(2999)})
		if err == nil {
			err = a.Cat(t.Context(), m, name(2999), io.Discard)
		}
		if err != nil {
			t.Errorf("%s: another page: %v", what, err)
		}
		if err := a.Cat(t.Context(), m, name(1), io.Discard); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s: read later: %v", what, err)
		}
	}
}

// A pattern without a slash names files in any directory. Where the layout does not name its directories, such a
// pattern needs all pages: one page alone would lose files silently. With a slash it is one name.
func TestBaseNameInAnyDirectory(t *testing.T) {
	t.Parallel()
	var names []string
	for _, dir := range []string{"a/", "b/", "c/"} {
		for _, n := range flatNames(1000) {
			names = append(names, dir+n)
		}
	}
	p := newPaged(t, &namedFiles{source.LayoutOptions{Name: "files", Pattern: `./.*\.jdb`, NoQuiet: true}, names})
	for pattern, want := range map[string]int{name(7): 3, "b/" + name(7): 1, "?/" + name(7): 3, "./c/*": 1000} {
		a := p.open()
		m, err := a.SnapshotFor(t.Context(), archive.Selector{}, []string{pattern})
		if err != nil {
			t.Fatal(err)
		}
		if whole := want == 3; m.IsWhole() != whole {
			t.Errorf("%s: %d of %d entries read", pattern, len(m.Files), m.Counts.Files)
		}
		o := archive.RestoreOptions{Include: []string{pattern}, DryRun: true}
		if res, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), o); err != nil || res.Files != want {
			t.Errorf("%s: %+v, %v", pattern, res, err)
		}
	}
}

// JE deals its files to directories data001, data002 and so on. A base name may lie in each of them, and only the pages
// that can have it are read.
func TestBaseNameInDataDirectories(t *testing.T) {
	t.Parallel()
	var names []string
	for dir := range 3 {
		for i := range 1000 {
			names = append(names, fmt.Sprintf("data%03d/%s", dir+1, name(3*i+dir)))
		}
	}
	p := newPaged(t, &namedFiles{jeFiles, names})
	a := p.open()
	m, err := a.SnapshotFor(t.Context(), archive.Selector{}, []string{name(4)})
	if err != nil || m.IsWhole() {
		t.Fatalf("%d of %d entries, %v", len(m.Files), m.Counts.Files, err)
	}
	to := filepath.Join(t.TempDir(), "r")
	res, err := a.Restore(t.Context(), m, to, archive.RestoreOptions{Include: []string{name(4)}})
	if err != nil || res.Files != 1 {
		t.Fatalf("%+v, %v", res, err)
	}
	if b, err := os.ReadFile(filepath.Join(to, "data002", name(4))); err != nil || string(b) != "data002/"+name(4) {
		t.Errorf("%q, %v", b, err)
	}
}

// A manifest that was read for one file must not limit what another operation does: a restore of everything restores
// everything, and a restore into a directory with other files of the snapshot leaves them, also if it may delete what
// the snapshot does not have.
func TestPartOfAManifestIsNoLimit(t *testing.T) {
	t.Parallel()
	p := newPaged(t, &namedFiles{jeFiles, flatNames(2300)})
	a := p.open()
	m, err := a.SnapshotOf(t.Context(), archive.Selector{}, []string{name(1)})
	if err != nil || m.IsWhole() {
		t.Fatal(err)
	}
	if err := a.Cat(t.Context(), m, name(2200), io.Discard); err != nil {
		t.Errorf("cat of another page: %v", err)
	}
	preview, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{DryRun: true})
	if err != nil || preview.Files != 2300 {
		t.Errorf("%+v, %v", preview, err)
	}
	dir := t.TempDir()
	want := map[string][]byte{name(2200): []byte("kept"), name(1): []byte(name(1))}
	write(t, dir, name(2200), "kept")
	write(t, dir, name(9000), "extra")
	o := archive.RestoreOptions{Include: []string{name(1)}, Overwrite: true, DeleteExtra: true}
	res, err := a.Restore(t.Context(), m, dir, o)
	if err != nil || !slices.Equal(res.Removed, []string{name(9000)}) {
		t.Fatalf("%+v, %v", res, err)
	}
	compare(t, dir, want)
	if len(m.Files) == 2300 {
		t.Error("the caller's manifest was changed")
	}
}

// The cleaner of a database asks for its oldest files. That needs their pages alone, and a file whose page was not read
// must not count as absent.
func TestArchivedNeedsThePagesOfItsFiles(t *testing.T) {
	t.Parallel()
	p := newPaged(t, &namedFiles{jeFiles, flatNames(3000)})
	dir := t.TempDir()
	var local []string
	for _, n := range []int{3, 4, 2900} {
		write(t, dir, name(n), name(n))
		local = append(local, filepath.Join(dir, name(n)))
	}
	a := p.open()
	m, err := a.SnapshotOf(t.Context(), archive.Selector{}, archive.NamesBelow(dir, local[:2]))
	if err != nil {
		t.Fatal(err)
	}
	if missing, err := a.Archived(t.Context(), m, dir, local[:2]); err != nil || len(missing) > 0 {
		t.Errorf("%+v, %v", missing, err)
	}
	p.readOnly("archived", p.pageOf(name(3)))
	if n := p.ops.Ops().Total(); n > 8 {
		t.Errorf("%+v are more than 8 requests", p.ops.Ops())
	}
	if missing, err := a.Archived(t.Context(), m, dir, local); err != nil || len(missing) > 0 {
		t.Errorf("%+v, %v", missing, err)
	}
}

// An interrupted restore of one file continues with the page of that file, and the set has nothing else.
func TestInterruptedRestoreOfOneFileContinues(t *testing.T) {
	t.Parallel()
	p := newPaged(t, &namedFiles{jeFiles, flatNames(2300)})
	dir := filepath.Join(t.TempDir(), "r")
	o := archive.RestoreOptions{Include: []string{name(9)}}
	for step := range 40 {
		a := p.open()
		p.ops.Arm(step, storetest.NotApplied)
		m, err := a.SnapshotFor(t.Context(), archive.Selector{}, o.Include)
		if err == nil {
			_, err = a.Restore(t.Context(), m, dir, o)
		}
		if err == nil {
			compare(t, dir, map[string][]byte{name(9): []byte(name(9))})
			return
		}
		if _, statErr := os.Stat(dir); statErr == nil {
			t.Fatalf("step %d: the directory has its name after %v", step, err)
		}
	}
	t.Fatal("the restore never succeeded")
}

// A page that cannot be read hides neither another one nor damage of the objects that the other pages name: a repair of
// what a verify names must not leave the rest to the next restore.
func TestVerifyNamesAllBesideABadPage(t *testing.T) {
	t.Parallel()
	p := newPaged(t, &namedFiles{jeFiles, flatNames(2300)})
	bad := []string{p.whole.Pages[1].Object, p.whole.Pages[2].Object}
	for _, key := range bad {
		p.mem.Remove(key)
	}
	lost := p.whole.Files[0].Parts[0].Object
	p.mem.Remove(lost)
	for _, o := range []archive.VerifyOptions{{}, {ReadData: true}} {
		r, err := p.open().Verify(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range append(slices.Clone(bad), lost) {
			if !slices.ContainsFunc(r.Problems, func(p archive.Problem) bool {
				return p.Object == key && p.Kind == archive.ProblemMissing && slices.Equal(p.Snapshots, []int64{1})
			}) {
				t.Errorf("%s is missing, and the problems are %+v", key, r.Problems)
			}
		}
	}
}

// The search for all bad pages of a snapshot reads only what the snapshot before did not have. So a bad page in a long
// history does not multiply the requests of a verify.
func TestSearchForBadPagesReadsWhatIsNew(t *testing.T) {
	t.Parallel()
	names := flatNames(2300)
	p := newPaged(t, &namedFiles{jeFiles, names})
	const snapshots = 8
	for range snapshots - 1 {
		names = append(slices.Clone(names), name(len(names)+1))
		if _, err := archive.New(p.mem, archive.Options{}).Backup(t.Context(), &namedFiles{jeFiles, names}, options); err != nil {
			t.Fatal(err)
		}
	}
	p.mem.Remove(p.whole.Pages[0].Object)
	r, err := p.open().Verify(t.Context(), archive.VerifyOptions{})
	if err != nil || r.Snapshots != snapshots || len(r.Problems) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if n, most := len(p.reads.pages), 2*len(p.whole.Pages)+2*snapshots; n > most {
		t.Errorf("%d reads of pages for %d snapshots of %d pages, want at most %d", n, snapshots, len(p.whole.Pages), most)
	}
}

// getCounter counts the Gets of manifests.
type getCounter struct {
	store.Store
	manifests atomic.Int32
}

func (s *getCounter) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasPrefix(key, manifest.ManifestsPrefix) {
		s.manifests.Add(1)
	}
	return s.Store.Get(ctx, key, offset, length)
}

// A page that is bad in the newest snapshot alone costs no second read of each older manifest.
func TestBadPageOfOneSnapshotReadsManifestsOnce(t *testing.T) {
	t.Parallel()
	names := flatNames(2300)
	p := newPaged(t, &namedFiles{jeFiles, names})
	const more = 8
	for range more {
		names = append(slices.Clone(names), name(len(names)+1))
		if _, err := archive.New(p.mem, archive.Options{}).Backup(t.Context(), &namedFiles{jeFiles, names}, options); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int32 {
		s := &getCounter{Store: p.mem}
		if _, err := archive.New(s, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{}); err != nil {
			t.Fatal(err)
		}
		return s.manifests.Load()
	}
	sound := count()
	m, err := archive.New(p.mem, archive.Options{}).Snapshot(t.Context(), archive.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	p.mem.Remove(m.Pages[len(m.Pages)-1].Object)
	if n := count(); n > sound+4 {
		t.Errorf("%d reads of manifests, and %d of a sound archive", n, sound)
	}
}
