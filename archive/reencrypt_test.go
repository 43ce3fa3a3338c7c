package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers/storetest"
)

// A re-encrypting copy opens with the new identity and not with the old one, has every
// snapshot with its content, times and states, and goes on where it was broken off.
func TestReencrypt(t *testing.T) {
	old, fresh := newIdentity(t), newIdentity(t)
	for _, many := range []int{3, 30} {
		store, target := storetest.Memory(t), storetest.Memory(t)
		o := archive.Options{Encoder: encoder(t, encoding.Zstd, old), Decoder: decoder(old)}
		db := newDatabase(t, t.TempDir(), 3)
		var want []map[string][]byte
		for i := range 4 {
			if i%2 == 0 {
				growText(db, i, many)
			} else { // the tail grows
				db.set(name(db.last), append(bytes.Clone(db.files[name(db.last)]), text(i, 900)...))
			}
			mustBackup(t, archive.New(store, o), db)
			want = append(want, maps.Clone(db.files))
		}
		if _, err := archive.New(store, archive.Options{}).Prune(t.Context(), archive.PruneOptions{}); err != nil {
			t.Fatal(err)
		}
		to := archive.Options{Encoder: encoder(t, encoding.None, fresh), Decoder: decoder(fresh)}
		again := func(fail int) (*archive.CopyReport, error) {
			var s archive.Store = target
			if fail >= 0 {
				s = storetest.NewFaulty(target, fail, storetest.NotApplied).Down()
			}
			return archive.Reencrypt(t.Context(), archive.New(store, o), archive.New(s, to), archive.CopyOptions{Tool: "test"})
		}
		if _, err := again(15); !errors.Is(err, storetest.ErrInjected) {
			t.Fatal(err)
		}
		r, err := again(-1)
		if err != nil || r.Newest != 4 {
			t.Fatalf("%+v, %v", r, err)
		}
		if r, err := again(-1); err != nil || len(r.Snapshots) > 0 {
			t.Fatalf("nothing is new: %+v, %v", r, err)
		}
		a, b := archive.New(store, o), archive.New(target, to)
		for n := int64(1); n <= 4; n++ {
			mustRestore(t, b, n, filepath.Join(t.TempDir(), "r"), want[n-1])
			m, err := b.Snapshot(t.Context(), archive.Selector{Sequence: n})
			if err != nil {
				t.Fatal(err)
			}
			was, err := a.Snapshot(t.Context(), archive.Selector{Sequence: n})
			if err != nil || !was.Created.Equal(m.Created) || m.Archive == was.Archive || !strings.HasSuffix(m.Tool, fmt.Sprintf(" from %s@%d", was.Archive, n)) {
				t.Fatalf("%+v, %v", m.Summary, err)
			}
			if !slices.Equal(m.Recipients, []string{fresh.Recipient().String()}) {
				t.Errorf("recipients %q", m.Recipients)
			}
		}
		if _, err := archive.New(target, archive.Options{Decoder: decoder(old)}).Restore(t.Context(), newest(t, b), filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{}); !errors.Is(err, archive.ErrNoIdentity) {
			t.Fatalf("the old key opens it: %v", err)
		}
		mustVerify(t, b)
		// Who makes backups to it makes another history of it.
		mustBackup(t, b, newDatabase(t, db.dir, 99))
		if _, err := again(-1); !errors.Is(err, archive.ErrNoCopy) {
			t.Fatal(err)
		}
	}
}

// What the copy cannot read, for lack of an identity, stops it, and nothing is committed.
func TestReencryptWithoutIdentity(t *testing.T) {
	store, target := storetest.Memory(t), storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 3)
	growText(db, 1, 2)
	mustBackup(t, archive.New(store, archive.Options{Encoder: encoder(t, encoding.Zstd, newIdentity(t))}), db)
	_, err := archive.Reencrypt(t.Context(), archive.New(store, archive.Options{}), archive.New(target, archive.Options{}), archive.CopyOptions{})
	if !errors.Is(err, archive.ErrNoIdentity) || len(target.Keys(manifest.ManifestsPrefix)) > 0 {
		t.Fatal(err, target.Keys(""))
	}
}
