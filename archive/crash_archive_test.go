package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// crashCases are the operations during which the power fails.
func crashCases() []crashCase { return append(archiveCrashes(), restoreCrashes()...) }

// A crashWorld is an archive in a directory, and the original files of each of its snapshots.
type crashWorld struct {
	db   *database
	want map[int64]map[string][]byte
}

func newCrashWorld(t *testing.T) *crashWorld {
	w := &crashWorld{db: newDatabase(t, t.TempDir(), 31), want: map[int64]map[string][]byte{}}
	w.db.now = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) // so that no file is young
	w.db.fill(3, 40)
	w.db.grow(30)
	return w
}

// in opens the archive, in a directory that is not there at first, as are two above it.
func (w *crashWorld) in(dir string, do func(*archive.Archive) error) error {
	if err := stateIsWhole(filepath.Join(dir, "state")); err != nil {
		return err
	}
	url := "file://" + filepath.Join(dir, "backups", "orders", "node-1")
	b, err := providers.Open(context.Background(), url, providers.Options{})
	if err != nil {
		return err
	}
	a := archive.New(b, archive.Options{
		Transfers: 2,
		State:     &archive.LocalState{Dir: filepath.Join(dir, "state"), Place: "backups"},
	})
	return errors.Join(do(a), b.Close())
}

// backup makes the next snapshot.
func (w *crashWorld) backup(t *testing.T, dir string) {
	t.Helper()
	if err := w.run(dir, func(string) {}); err != nil {
		t.Fatal(err)
	}
	w.want[int64(len(w.want)+1)] = maps.Clone(w.db.files)
}

// change changes the database as time does.
func (w *crashWorld) change() {
	w.db.grow(25)
	w.db.flip(20)
	w.db.remove(w.db.closed()[0])
}

func (w *crashWorld) run(dir string, note func(string)) error {
	return w.in(dir, func(a *archive.Archive) error {
		res, err := a.Backup(context.Background(), w.db.source(), options)
		if err == nil {
			note(fmt.Sprint(res.Snapshot.Sequence))
			err = falseAlarm(res.Warnings)
		}
		return err
	})
}

// listed returns the snapshots that list shows. Each must restore its original content.
func (w *crashWorld) listed(a *archive.Archive) ([]int64, error) {
	all, err := a.List(context.Background(), 0)
	if err != nil {
		return nil, err
	}
	var numbers []int64
	for _, s := range all {
		if s.Err != nil {
			return nil, s.Err
		}
		m, err := a.Snapshot(context.Background(), archive.Selector{Sequence: s.Sequence})
		if err != nil {
			return nil, err
		}
		if err := w.holds(m); err != nil {
			return nil, fmt.Errorf("snapshot %d: %w", s.Sequence, err)
		}
		numbers = append(numbers, s.Sequence)
	}
	return numbers, nil
}

// holds compares a manifest with its snapshot's original files.
func (w *crashWorld) holds(m *manifest.Manifest) error {
	want := w.want[m.Sequence]
	if len(m.Files) != len(want) {
		return fmt.Errorf("%d files, want %d", len(m.Files), len(want))
	}
	for _, f := range m.Files {
		if b, ok := want[f.Name]; !ok || manifest.Sum(b) != f.SHA256 {
			return fmt.Errorf("%s is not what it was", f.Name)
		}
	}
	return nil
}

// sound checks that list shows valid snapshots alone, all that must be there, and that all
// their data is there.
func (w *crashWorld) sound(dir string, must ...int64) error {
	return w.in(dir, func(a *archive.Archive) error {
		have, err := w.listed(a)
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		for _, n := range must {
			if !slices.Contains(have, n) {
				return fmt.Errorf("snapshot %d is gone; there are %d", n, have)
			}
		}
		return verified(a)
	})
}

// exactly also checks that there are no others, and that the newest restores.
func (w *crashWorld) exactly(dir string, want ...int64) error {
	return errors.Join(w.sound(dir, want...), w.in(dir, func(a *archive.Archive) error {
		have, err := w.listed(a)
		if err == nil && !slices.Equal(have, want) {
			err = fmt.Errorf("there are the snapshots %d, want %d", have, want)
		}
		if err != nil {
			return err
		}
		m, err := a.Snapshot(context.Background(), archive.Selector{})
		if err != nil {
			return err
		}
		for i := range m.Files {
			var b bytes.Buffer
			if err := a.Cat(context.Background(), m, m.Files[i].Name, &b); err != nil {
				return err
			}
			if !bytes.Equal(b.Bytes(), w.want[m.Sequence][m.Files[i].Name]) {
				return fmt.Errorf("%s came back different", m.Files[i].Name)
			}
		}
		return nil
	}))
}

func verified(a *archive.Archive) error {
	r, err := a.Verify(context.Background(), archive.VerifyOptions{ReadData: true})
	if err == nil && len(r.Problems) > 0 {
		err = fmt.Errorf("%+v", r.Problems)
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

func archiveCrashes() []crashCase {
	return []crashCase{
		{name: "first backup", prepare: func(t *testing.T, _ string) crashSteps { return newCrashWorld(t).backups() }},
		{name: "backup", prepare: func(t *testing.T, dir string) crashSteps {
			w := newCrashWorld(t)
			w.backup(t, dir)
			w.change()
			return w.backups()
		}},
		{name: "backup with a bundle", prepare: func(t *testing.T, dir string) crashSteps {
			w := newCrashWorld(t)
			w.backup(t, dir)
			w.db.fill(24, 10)
			return w.backups()
		}},
		{name: "prune", prepare: crashPrune},
		{name: "hold", prepare: crashHold},
		{name: "copy", prepare: crashCopy},
		{name: "repair", prepare: crashRepair},
	}
}

// backups is a backup of the database as it is.
func (w *crashWorld) backups() crashSteps {
	next := int64(len(w.want) + 1)
	w.want[next] = maps.Clone(w.db.files)
	before := numbers(next - 1)
	return crashSteps{
		run: w.run,
		check: func(dir string, reported []string) error {
			if len(reported) == 0 && next == 1 {
				return w.maybe(dir)
			}
			if len(reported) > 0 {
				return w.sound(dir, numbers(next)...)
			}
			return w.sound(dir, before...)
		},
		done: func(dir string) error { return w.exactly(dir, numbers(next)...) },
	}
}

// maybe is sound where there may be no archive yet.
func (w *crashWorld) maybe(dir string) error {
	err := w.sound(dir)
	if errors.Is(err, archive.ErrNoArchive) {
		return nil
	}
	return err
}

func numbers(last int64) []int64 {
	var all []int64
	for n := range last {
		all = append(all, n+1)
	}
	return all
}

// crashPrune keeps two of four snapshots.
func crashPrune(t *testing.T, dir string) crashSteps {
	w := newCrashWorld(t)
	for range 4 {
		w.backup(t, dir)
		w.change()
	}
	return crashSteps{
		run: func(dir string, note func(string)) error {
			return w.in(dir, func(a *archive.Archive) error {
				_, err := a.Prune(context.Background(), archive.PruneOptions{Retention: &retention.Policy{Last: 2}})
				if err == nil {
					note("pruned")
				}
				return err
			})
		},
		check: func(dir string, reported []string) error {
			if len(reported) > 0 {
				return w.exactly(dir, 3, 4)
			}
			return w.sound(dir, 3, 4)
		},
		done: func(dir string) error { return w.exactly(dir, 3, 4) },
	}
}

// crashHold holds the older of two snapshots.
func crashHold(t *testing.T, dir string) crashSteps {
	w := newCrashWorld(t)
	for range 2 {
		w.backup(t, dir)
		w.change()
	}
	held := func(a *archive.Archive) error {
		all, err := a.List(context.Background(), 0)
		if err == nil && (len(all) != 2 || all[0].Held == "") {
			err = fmt.Errorf("it is not held: %+v", all)
		}
		return err
	}
	return crashSteps{
		run: func(dir string, note func(string)) error {
			return w.in(dir, func(a *archive.Archive) error {
				_, err := a.Hold(context.Background(), archive.Selector{Sequence: 1}, "audit")
				if err == nil {
					note("held")
				}
				return err
			})
		},
		check: func(dir string, reported []string) error {
			err := w.sound(dir, 1, 2)
			if len(reported) > 0 {
				err = errors.Join(err, w.in(dir, held))
			}
			return err
		},
		done: func(dir string) error { return errors.Join(w.exactly(dir, 1, 2), w.in(dir, held)) },
	}
}

// crashCopy copies an archive from another place into the directory.
func crashCopy(t *testing.T, _ string) crashSteps {
	w, from := newCrashWorld(t), storetest.Memory(t)
	for n := range int64(2) {
		mustBackup(t, archive.New(from, archive.Options{}), w.db)
		w.want[n+1] = maps.Clone(w.db.files)
		w.change()
	}
	return crashSteps{
		run: func(dir string, note func(string)) error {
			return w.in(dir, func(a *archive.Archive) error {
				_, err := archive.Copy(context.Background(), archive.New(from, archive.Options{}), a, archive.CopyOptions{})
				if err == nil {
					note("copied")
				}
				return err
			})
		},
		check: func(dir string, reported []string) error {
			if len(reported) > 0 {
				return w.sound(dir, 1, 2)
			}
			return w.maybe(dir)
		},
		done: func(dir string) error { return w.exactly(dir, 1, 2) },
	}
}

// crashRepair restores one damaged object and one missing object, from a copy.
func crashRepair(t *testing.T, dir string) crashSteps {
	w := newCrashWorld(t)
	for range 2 {
		w.backup(t, dir)
		w.change()
	}
	copied := storetest.Memory(t)
	var bad []string
	if err := w.in(dir, func(a *archive.Archive) error {
		_, err := archive.Copy(context.Background(), a, archive.New(copied, archive.Options{}), archive.CopyOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for i, key := range copied.Keys("data/")[:2] {
		bad = append(bad, key)
		path := filepath.Join(dir, "backups", "orders", "node-1", filepath.FromSlash(key))
		var err error
		if i == 0 {
			err = os.Remove(path)
		} else if b, readErr := os.ReadFile(path); readErr != nil {
			err = readErr
		} else {
			err = os.WriteFile(path, bytes.Repeat([]byte{7}, len(b)), 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return crashSteps{
		run: func(dir string, note func(string)) error {
			return w.in(dir, func(a *archive.Archive) error {
				r, err := a.Verify(context.Background(), archive.VerifyOptions{ReadData: true, Repair: from(copied)})
				if err == nil && len(r.Problems) > 0 {
					err = fmt.Errorf("%+v", r.Problems)
				}
				if err == nil {
					note("repaired")
				}
				return err
			})
		},
		check: func(dir string, reported []string) error {
			if len(reported) > 0 {
				return w.sound(dir, 1, 2)
			}
			return w.in(dir, func(a *archive.Archive) error {
				have, err := w.listed(a)
				if err != nil || len(have) != 2 {
					return fmt.Errorf("there are %d, %w", have, err)
				}
				r, err := a.Verify(context.Background(), archive.VerifyOptions{ReadData: true})
				if err != nil {
					return err
				}
				for _, p := range r.Problems {
					if !slices.Contains(bad, p.Object) {
						return fmt.Errorf("%s was sound before: %s", p.Object, p.Detail)
					}
				}
				return nil
			})
		},
		done: func(dir string) error { return w.exactly(dir, 1, 2) },
	}
}
