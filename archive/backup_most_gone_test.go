package archive_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Most of the files are gone and no file was begun since: that may be a large clean-up, and must
// be accepted once. As soon as there is a new file, nothing has to be.
func TestMostFilesAreGone(t *testing.T) {
	t.Parallel()
	removing := func(n int) func(*database) {
		return func(d *database) {
			for _, f := range d.closed()[:n] {
				d.remove(f)
			}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*database)
		accept []manifest.Guard
		want   error
	}{
		{"half", removing(5), nil, nil},
		{"more than half", removing(6), nil, archive.ErrMissingFiles},
		{"more than half, and the open file grew", func(d *database) { removing(6)(d); d.grow(10) }, nil, archive.ErrMissingFiles},
		{"more than half, accepted", removing(6), []manifest.Guard{manifest.GuardMissing}, nil},
		{"another guard accepted", removing(6), []manifest.Guard{manifest.GuardRollback, manifest.GuardTakeOver}, archive.ErrMissingFiles},
		{"more than half, and a new file", func(d *database) { removing(9)(d); d.flip(10) }, nil, nil},
		{"gone back, and more than half of the rest", func(d *database) {
			for _, n := range []int{10, 9, 5, 4, 3, 2, 1} {
				d.remove(name(n))
			}
		}, []manifest.Guard{manifest.GuardRollback}, archive.ErrMissingFiles},
		{"gone back by more than half", func(d *database) {
			for n := 10; n > 3; n-- {
				d.remove(name(n))
			}
		}, []manifest.Guard{manifest.GuardRollback}, nil},
		{"gone back by more than half, not accepted", func(d *database) {
			for n := 10; n > 3; n-- {
				d.remove(name(n))
			}
		}, []manifest.Guard{manifest.GuardMissing}, archive.ErrRolledBack},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, t.TempDir(), 81)
			db.fill(11, 50)
			a := archive.New(storetest.Memory(t), archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
			mustBackup(t, a, db)
			test.change(db)
			o := options
			o.Accept = test.accept
			res, err := a.Backup(t.Context(), db.source(), o)
			isRight(t, res, err, test.want)
			if test.want == archive.ErrMissingFiles && test.accept == nil {
				db.flip(10)
				mustBackup(t, a, db)
			}
		})
	}
}

// Files without numbers come and go as they like.
func TestUnorderedFilesAreNeverMissing(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 82)
	db.fill(10, 50)
	a := archive.New(storetest.Memory(t), archive.Options{})
	if _, err := a.Backup(t.Context(), allFiles(t, db.dir), options); err != nil {
		t.Fatal(err)
	}
	for _, f := range db.closed()[:9] {
		db.remove(f)
	}
	if _, err := a.Backup(t.Context(), allFiles(t, db.dir), options); err != nil {
		t.Error(err)
	}
}

// A cleaner that deletes at random, down to emptying whole directories, while the database
// begins files: nothing of that is ever refused, with local state or, as long as it leaves the
// newest files, without.
func TestBusyCleanerIsNeverRefused(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	rounds := 150
	if brief() {
		rounds = 50
	}
	for _, state := range []bool{true, false} {
		for dirs := 1; dirs <= 4; dirs++ {
			t.Run(fmt.Sprintf("state %v, %d directories", state, dirs), func(t *testing.T) {
				t.Parallel()
				random := rand.New(rand.NewPCG(83, uint64(dirs)))
				names := []string{""}
				if dirs > 1 {
					names = []string{"data001", "data002", "data003", "data004"}[:dirs]
				}
				d := newDealer(t, names...)
				d.begin(3)
				o := archive.Options{}
				if state {
					o.State = &archive.LocalState{Dir: t.TempDir()}
				}
				a := archive.New(storetest.Memory(t), o)
				mustBackup(t, a, d.database)
				for range rounds {
					d.begin(1 + random.IntN(4))
					spared := 1
					if !state {
						spared = 2 * dirs
					}
					for n := range d.next - spared {
						if _, ok := d.files[d.path(n)]; ok && random.IntN(2) == 0 {
							d.remove(d.path(n))
						}
					}
					res, err := a.Backup(t.Context(), d.source(), options)
					if err != nil && (state || !errors.Is(err, archive.ErrForeign)) { // there are no headers to recognize it by
						t.Fatal(err)
					}
					if err != nil {
						accepting := options
						accepting.Accept = []manifest.Guard{manifest.GuardTakeOver}
						if res, err = a.Backup(t.Context(), d.source(), accepting); err != nil {
							t.Fatal(err)
						}
					}
					if !res.Committed {
						t.Fatal("no snapshot")
					}
				}
			})
		}
	}
}
