package archive_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// coarseSource has files on a file system whose clock ticks every two seconds. Each file is written
// again a second after the capture, within the same tick: neither its size nor its times show that.
type coarseSource struct {
	t      *testing.T
	layout source.LayoutOptions
	names  []string
	size   int

	modified time.Time
	edited   bool // the second write was made
}

func (s *coarseSource) Layout() source.Layout {
	l, err := source.NewLayout(s.layout)
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// content returns a file's first or second version, which have the same size.
func (s *coarseSource) content(name string) []byte {
	version := "first"
	if s.edited || time.Since(s.modified) >= time.Second {
		version = "other"
	}
	return bytes.Repeat([]byte(version+" "+name+"\n"), s.size/(len(name)+7))
}

func (s *coarseSource) Capture(context.Context, func(source.File) bool) (*source.Capture, error) {
	var files []source.File
	for _, name := range s.names {
		files = append(files, source.File{Name: name, Size: int64(len(s.content(name))), Modified: s.modified})
	}
	return source.NewCapture(files, time.Now(), func(f source.File) (source.Content, error) {
		return &coarseContent{s, f.Name}, nil
	}), nil
}

type coarseContent struct {
	s    *coarseSource
	name string
}

func (c *coarseContent) ReadAt(b []byte, at int64) (int, error) {
	return bytes.NewReader(c.s.content(c.name)).ReadAt(b, at)
}

func (c *coarseContent) Close() error     { return nil }
func (c *coarseContent) Unchanged() error { return nil }

// A young file may still be written without a change of its times. If a backup read it before it
// has settled, the first version would stay in the archive: the file seems unchanged ever after.
func TestYoungFilesSettleBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	je := source.LayoutOptions{Name: "je", NoEntries: true}
	files := source.LayoutOptions{Name: "files", Pattern: `.*`, Quiet: time.Millisecond}
	for what, c := range map[string]struct {
		layout source.LayoutOptions
		many   int // files
		size   int
		encode bool
	}{
		"bundled":                     {je, 20, 1000, false},
		"bundled, encoded":            {je, 20, 1000, true},
		"an object each":              {je, 2, 1000, false},
		"an object each, encoded":     {je, 2, 1000, true},
		"large":                       {je, 1, 1 << 20, false},
		"bundled, with a short quiet": {files, 20, 1000, false},
		"alone, with a short quiet":   {files, 1, 1000, false},
	} {
		t.Run(what, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				src := &coarseSource{t: t, layout: c.layout, size: c.size, modified: time.Now()}
				for n := range c.many {
					src.names = append(src.names, name(n))
				}
				time.Sleep(10 * time.Millisecond) // a short quiet time has passed
				var o archive.Options
				if c.encode {
					o.Encoder = encoder(t, encoding.Zstd, newIdentity(t))
				}
				a := archive.New(storetest.Memory(t), o)
				if _, err := a.Backup(t.Context(), src, options); err != nil {
					t.Fatal(err)
				}
				src.edited = true
				for i, f := range newest(t, a).Files {
					if want := storetest.SumsOf(src.content(f.Name)).SHA256; f.SHA256 != want || f.Name != src.names[i] {
						t.Errorf("%s is archived as it was before its last write", f.Name)
					}
				}
			})
		})
	}
}

// A file that is old, or that has a time in the future and has not changed for long, has settled.
// Otherwise each backup of many old files would wait.
func TestOldFilesNeedNoWait(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		start := time.Now()
		for what, age := range map[string]time.Duration{"two seconds": 2 * time.Second, "an hour": time.Hour} {
			src := &coarseSource{
				t: t, layout: source.LayoutOptions{Name: "je", NoEntries: true}, names: []string{name(0), name(1)}, size: 100,
				modified: start.Add(-age), edited: true,
			}
			a := archive.New(storetest.Memory(t), archive.Options{})
			if _, err := a.Backup(t.Context(), src, options); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(start); waited > 0 {
				t.Errorf("%s: waited %v", what, waited)
			}
		}
	})
}

// While one young file settles, the others are read: a wait for each of many files would add up.
func TestYoungFilesSettleTogether(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		start := time.Now()
		src := &coarseSource{t: t, layout: source.LayoutOptions{Name: "je", NoEntries: true}, size: 300 << 10, modified: start}
		for n := range 12 {
			src.names = append(src.names, name(n))
		}
		a := archive.New(storetest.Memory(t), archive.Options{Transfers: 1})
		if _, err := a.Backup(t.Context(), src, options); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(start); waited > 3*time.Second {
			t.Errorf("%d files waited %v", len(src.names), waited)
		}
	})
}
