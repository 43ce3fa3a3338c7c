package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// repeated returns a step that an error names twice, such as "reading archive.json"; "" if there is none. Each line is
// an error of its own.
func repeated(err error) string {
	for _, line := range strings.Split(err.Error(), "\n") {
		seen := map[string]bool{}
		for _, step := range strings.Split(line, ": ") {
			if seen[step] {
				return step
			}
			seen[step] = true
		}
	}
	return ""
}

// An error names each step once: where two functions added the same one, an operator read "reading archive.json:
// reading archive.json:". Each request of each operation fails in turn.
func TestNoErrorNamesAStepTwice(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	h := newHistory(t, 3)
	dir := t.TempDir()
	copied := h.store.Clone()
	copied.Remove(manifest.ManifestKey(2))
	for what, operate := range map[string]func(a *archive.Archive, n int) error{
		"backup": func(a *archive.Archive, _ int) error {
			_, err := a.Backup(ctx, h.db.source(), options)
			return err
		},
		"list": func(a *archive.Archive, _ int) error {
			_, err := a.List(ctx, 0)
			return err
		},
		"verify": func(a *archive.Archive, _ int) error {
			r, err := a.Verify(ctx, archive.VerifyOptions{ReadData: true})
			if err == nil {
				for _, p := range r.Problems {
					err = errors.Join(err, errors.New(p.Detail))
				}
			}
			return err
		},
		"repair": func(a *archive.Archive, _ int) error {
			_, err := a.Verify(ctx, archive.VerifyOptions{Repair: &archive.RepairFrom{}})
			return err
		},
		"prune": func(a *archive.Archive, _ int) error {
			_, err := a.Prune(ctx, archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
			return err
		},
		"hold": func(a *archive.Archive, _ int) error {
			_, err := a.Hold(ctx, archive.Selector{Sequence: 1}, "a reason")
			return err
		},
		"restore": func(a *archive.Archive, n int) error { return restoreNewest(a, fmt.Sprintf("%s/%d", dir, n)) },
		"cat": func(a *archive.Archive, _ int) error {
			m, err := a.Snapshot(ctx, archive.Selector{})
			if err != nil {
				return err
			}
			return a.Cat(ctx, m, m.Files[0].Name, io.Discard)
		},
		"drills": func(a *archive.Archive, _ int) error {
			_, _, err := a.Drills(ctx)
			return err
		},
		"copy": func(a *archive.Archive, _ int) error {
			_, err := archive.Copy(ctx, a, archive.New(storetest.Memory(t), archive.Options{}), archive.CopyOptions{})
			return err
		},
		"update of a copy": func(a *archive.Archive, _ int) error {
			_, err := archive.Copy(ctx, archive.New(h.store.Clone(), archive.Options{}), a, archive.CopyOptions{})
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				for _, mode := range modes {
					for n := 0; ; n++ {
						s := h.store
						if what == "update of a copy" {
							s = copied
						}
						f := mode.fault(s.Clone(), n)
						err := operate(archive.New(f, archive.Options{Transfers: 1}), n)
						if err != nil && repeated(err) != "" {
							t.Errorf("request %d, %s: %q is there twice: %v", n, mode, repeated(err), err)
						}
						if !f.Hit() {
							break
						}
					}
				}
			})
		})
	}
}
