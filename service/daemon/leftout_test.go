package daemon

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The status has what the last run left out: with names and reasons, but not 60,000 of them. A run
// that leaves nothing out ends that, with or without a new snapshot.
func TestStatusHasWhatTheLastRunLeftOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var omitted []archive.Omission
		open := func(context.Context, *config.Config, *config.Archive, archive.Limiter) (*Archive, error) {
			none := func() map[string]int64 { return nil }
			backup := func(context.Context, archive.Acceptance) (*archive.BackupResult, error) {
				return &archive.BackupResult{Omitted: omitted}, nil
			}
			return &Archive{
				Archive: archive.New(storetest.Memory(t), archive.Options{}), Backup: backup,
				Requests: none, Failures: none, Close: func() error { return nil },
			}, nil
		}
		d := New(load(t, demand), Options{Open: open})
		for _, n := range []int{0, 3, 60_000, 0} {
			omitted = nil
			for i := range n {
				omitted = append(omitted, archive.Omission{Name: fmt.Sprint(i), Why: "modified 1s ago"})
			}
			if _, err := d.all()[0].backup(t.Context()); err != nil {
				t.Fatal(err)
			}
			out := d.Archives()[0].LeftOut
			if out.Files != int64(n) || len(out.Some) != min(n, web.MaxLeftOut) {
				t.Errorf("%d files: %+v", n, out)
			}
			if n > 0 && (out.Some[0] != web.LeftOutFile{Name: "0", Why: "modified 1s ago"}) {
				t.Errorf("the first is %+v", out.Some[0])
			}
		}
	})
}

// After a restart the mark of the newest snapshot stands for the last run.
func TestStatusHasWhatTheNewestSnapshotLeftOut(t *testing.T) {
	t.Parallel()
	for _, note := range []*manifest.LeftOut{nil, {Files: 4, Example: "CURRENT"}} {
		out := leftOutOf(&manifest.Summary{Notes: manifest.Notes{LeftOut: note}})
		if note == nil && out.Files+int64(len(out.Some)) > 0 {
			t.Errorf("without a mark: %+v", out)
		}
		if note != nil && (out.Files != 4 || len(out.Some) != 1 || out.Some[0].Name != "CURRENT") {
			t.Errorf("with a mark: %+v", out)
		}
		s := summary(&manifest.Summary{Notes: manifest.Notes{LeftOut: note}})
		if (s.LeftOut == 4) != (note != nil) {
			t.Errorf("a listing has %d", s.LeftOut)
		}
	}
}
