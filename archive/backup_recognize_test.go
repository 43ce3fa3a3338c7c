package archive_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A logFile is one file of a numbered log, with real entries.
type logFile struct {
	number   int
	begun    time.Time // by its header
	previous uint32    // by its header, the last entry of the file before it
	size     int       // of its record
	seed     byte
}

// bytes makes the file, and returns where its last entry begins.
func (f logFile) bytes() (content []byte, last uint32) {
	l := entriestest.NewJEAt(jeVersion, uint32(f.number), f.previous, f.begun.UnixMilli())
	item := make([]byte, f.size)
	for i := range item {
		item[i] = f.seed + byte(i)
	}
	l.Add(entriestest.JERecord, item)
	l.Add(entriestest.JERecord, item)
	return l.Bytes, l.Last
}

// replaceFiles leaves these files alone in a directory.
func replaceFiles(t *testing.T, dir string, files ...logFile) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files {
		content, _ := f.bytes()
		if err := os.WriteFile(filepath.Join(dir, name(f.number)), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// generation makes files with the numbers from first to last, begun a second apart.
func generation(first, last int, begun time.Time, seed byte) (files []logFile) {
	for n := first; n <= last; n++ {
		files = append(files, logFile{number: n, begun: begun.Add(time.Duration(n-first) * time.Second), size: 100 * (n%7 + 1), seed: seed})
	}
	return files
}

func jeSource(t *testing.T, dir string, o source.LayoutOptions) *source.Directory {
	t.Helper()
	return (&jeLog{t: t, dir: dir}).source(o)
}

// A database that kept no file of the last snapshot is the same one or another one. Content cannot
// show which: its directory, the headers of its log and their numbers do. Overlapping numbers with
// different content always mean another database.
func TestRecognition(t *testing.T) {
	t.Parallel()
	took := time.Now()                                            // about when the first snapshot is made
	before, after := took.Add(-time.Hour), took.Add(10*time.Hour) // of that
	noEntries := source.LayoutOptions{NoEntries: true}
	rollback := archive.Acceptance{Accept: []manifest.Guard{manifest.GuardRollback, manifest.GuardMissing}}
	takeOver := archive.Acceptance{Accept: []manifest.Guard{manifest.GuardTakeOver}}
	_, last5 := logFile{number: 5, size: 600}.bytes() // as generation makes it

	for _, test := range []struct {
		name   string
		change func(t *testing.T, dir string)
		o      source.LayoutOptions
		state  bool // the host keeps its local state
		accept archive.Acceptance
		want   error
		warns  []string  // of the one warning
		have   []logFile // that the first snapshot has, if not those from 0 to 5
	}{
		{
			name: "replaced by the cleaner", state: true, o: noEntries,
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(9, 12, before, 1)...) },
			warns:  []string{"by its directory", "no snapshot holds 00000006.jdb to 00000008.jdb"},
		},
		{
			name: "replaced by the cleaner, new host", // by numbers and times
			change: func(t *testing.T, dir string) {
				replaceFiles(t, dir, append(generation(8, 9, after, 1), generation(12, 12, after, 1)...)...)
			},
			warns: []string{"by the numbers of its files and the times in their headers", "no snapshot holds 00000006.jdb to 00000007.jdb, 0000000a.jdb to 0000000b.jdb"},
		},
		{
			name: "the first file was begun just before", // and held no entry at the capture
			change: func(t *testing.T, dir string) {
				replaceFiles(t, dir, append(generation(6, 6, before, 1), generation(7, 8, after, 1)...)...)
			},
			warns: []string{"times in their headers"},
		},
		{
			name: "the header links", // at any time of the clock
			change: func(t *testing.T, dir string) {
				replaceFiles(t, dir, logFile{number: 6, begun: before, previous: last5, size: 10}, logFile{number: 7, begun: before, size: 10})
			},
			warns: []string{"by the header of 00000006.jdb, which follows on 00000005.jdb"},
		},
		{
			name:   "older headers",
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(9, 12, before, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name: "some older headers", // of another database that has run for longer, and goes on
			change: func(t *testing.T, dir string) {
				replaceFiles(t, dir, append(generation(9, 10, before, 1), generation(11, 12, after, 1)...)...)
			},
			want: archive.ErrForeign,
		},
		{
			name:   "only the next number, and older",
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(6, 6, before, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name: "no headers", o: noEntries, // and no local state
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(9, 12, after, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name: "another directory", o: noEntries, state: true,
			change: func(t *testing.T, dir string) {
				if err := os.Rename(dir, dir+".old"); err != nil {
					t.Fatal(err)
				}
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				replaceFiles(t, dir, generation(9, 12, after, 1)...)
			},
			want: archive.ErrForeign,
		},
		{
			name: "the same numbers", state: true, // in the same directory even
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(0, 5, before, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name: "some of the same numbers", state: true, accept: rollback,
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(4, 9, after, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name: "made where the other one was", state: true, accept: rollback, // and from the first number on
			have:   generation(3, 8, before, 0),
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(0, 1, after, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name: "the numbers between", state: true, // which the first had not at that time
			have: append(generation(3, 3, before, 0), generation(5, 8, before, 0)...),
			change: func(t *testing.T, dir string) {
				replaceFiles(t, dir, append(generation(4, 4, after, 1), generation(9, 9, after, 1)...)...)
			},
			want: archive.ErrForeign,
		},
		{
			name: "one number in common", state: true, accept: rollback,
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(0, 0, before, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name: "one number in common, without headers", o: noEntries, accept: rollback,
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(2, 2, before, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name:   "one number in common, taken over",
			accept: takeOver,
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(0, 0, before, 1)...) },
		},
		{
			name: "only the number of the open file in common", state: true, o: noEntries,
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(5, 9, after, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name: "only the number of the open file in common, begun later", state: true,
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(5, 9, after, 1)...) },
			want:   archive.ErrForeign,
		},
		{
			name: "only the open file is left, after a power loss", // which changed what follows its header
			change: func(t *testing.T, dir string) {
				open := generation(0, 5, before, 0)[5]
				open.seed = 77
				replaceFiles(t, dir, append(generation(6, 9, after, 1), open)...)
			},
			warns: []string{"only 00000005.jdb is left in the source, and it has changed; the source was recognized by the header of that file"},
		},
		{
			name:   "lower numbers",
			accept: rollback,
			change: func(t *testing.T, dir string) { replaceFiles(t, dir, generation(0, 2, after, 1)...) },
			want:   archive.ErrForeign, // they overlap, and differ
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "db")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			have := test.have
			if have == nil {
				have = generation(0, 5, before, 0)
			}
			replaceFiles(t, dir, have...)
			o := archive.Options{}
			if test.state {
				o.State = &archive.LocalState{Dir: t.TempDir()}
			}
			store := storetest.Memory(t)
			a := archive.New(store, o)
			if res, err := a.Backup(t.Context(), jeSource(t, dir, test.o), options); err != nil || len(res.Warnings) > 0 {
				t.Fatalf("%v, warnings %q", err, res.Warnings)
			}
			test.change(t, dir)
			accepting := options
			accepting.Acceptance = test.accept
			res, err := archive.New(store, o).Backup(t.Context(), jeSource(t, dir, test.o), accepting)
			isRight(t, res, err, test.want)
			if test.want != nil {
				return
			}
			about := slices.DeleteFunc(res.Warnings, func(w string) bool { return !strings.Contains(w, "recognized") })
			for _, want := range test.warns {
				if len(about) != 1 || !strings.Contains(about[0], want) {
					t.Errorf("warnings %q, want one with %q", about, want)
				}
			}
			// From now on there is content in common.
			res, err = archive.New(store, o).Backup(t.Context(), jeSource(t, dir, test.o), options)
			if err != nil || res.Committed || len(res.Warnings) > 0 {
				t.Errorf("the next run: %v, committed %v, warnings %q", err, res.Committed, res.Warnings)
			}
		})
	}
}
