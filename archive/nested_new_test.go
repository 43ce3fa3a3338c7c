package archive_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// bases are places that archives can be made in, each a URL to which a prefix is added.
func bases(t *testing.T) map[string]string {
	return map[string]string{"mem": "mem://" + strings.ToLower(rand.Text()), "file": "file://" + t.TempDir() + "/backups"}
}

func openAt(t *testing.T, address string) *archive.Archive {
	t.Helper()
	b, err := providers.Open(t.Context(), address, providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return archive.New(b, archive.Options{})
}

// A new archive is refused where it would lie within another one, or around one, at any depth, by all that
// could begin one: nothing is written.
func TestNewArchiveIsRefusedWithinAndAroundAnother(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 5)
	db.flip(20)
	source := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, source, db)
	for _, pair := range [][2]string{
		{"", "/data/node-2"},
		{"", "/orders/node-1"},
		{"", "/a/b/c/d/e/f/g"},
		{"/orders", "/orders/node-1"},
		{"/orders/node-1", "/orders/node-1/data/x/data"},
		{"/orders/manifests", "/orders/manifests/000"},
	} {
		for scheme, base := range bases(t) {
			for _, first := range []int{0, 1} {
				base := fmt.Sprintf("%s/%d", base, first)
				mustBackup(t, openAt(t, base+pair[first]), db)
				refused := base + pair[1-first]
				ways := map[string]func(bool) error{
					"backup": func(dry bool) error {
						o := options
						o.DryRun = dry
						_, err := openAt(t, refused).Backup(t.Context(), db.source(), o)
						return err
					},
					"copy": func(dry bool) error {
						_, err := archive.Copy(t.Context(), source, openAt(t, refused), archive.CopyOptions{DryRun: dry})
						return err
					},
					"copy, encoded": func(dry bool) error {
						_, err := archive.Reencrypt(t.Context(), source, openAt(t, refused), archive.CopyOptions{Tool: "test", DryRun: dry})
						return err
					},
				}
				for way, begin := range ways {
					for _, dry := range []bool{true, false} {
						if err := begin(dry); !errors.Is(err, archive.ErrNested) {
							t.Errorf("%s: %s at %q, with an archive at %q: %v", scheme, way, pair[1-first], pair[first], err)
						}
					}
				}
				f, ok := openAt(t, refused).Preflight(t.Context())
				if !ok || f.Result != storecheck.Failed || f.Advice == "" || !strings.Contains(f.Detail, "archive") {
					t.Errorf("%s: a check of %q, with an archive at %q: %+v", scheme, pair[1-first], pair[first], f)
				}
				if _, err := openAt(t, refused).List(t.Context(), 0); !errors.Is(err, archive.ErrNoArchive) {
					t.Errorf("%s: something was made at %q: %v", scheme, pair[1-first], err)
				}
				mustVerify(t, openAt(t, base+pair[first]))
			}
		}
	}
}

// Archives beside one another do not disturb each other, even if one's prefix begins with the
// other's characters.
func TestNewArchiveBesideAnother(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 5)
	db.flip(20)
	for _, base := range bases(t) {
		for _, path := range []string{"/orders/node-1", "/orders/node-10", "/orders/node", "/orders/data", "/order"} {
			mustBackup(t, openAt(t, base+path), db)
		}
	}
}

// An archive shows itself also by its manifests, where archive.json is gone. Another program's archive.json
// shows none.
func TestWhatShowsAnArchive(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 5)
	db.flip(20)
	for name, test := range map[string]struct {
		key, content string
		refused      bool
	}{
		"manifests":       {manifest.ManifestKey(7), "damaged", true},
		"ledger":          {manifest.LedgerKey(7), "damaged", true},
		"newer":           {manifest.ArchiveKey, `{"format":"strongroom/9"}`, true},
		"another program": {manifest.ArchiveKey, `{"format":"restic"}`, false},
		"no JSON":         {manifest.ArchiveKey, "x", false},
		"empty":           {manifest.ArchiveKey, "", false},
		"too large":       {manifest.ArchiveKey, strings.Repeat("x", 1<<20), false},
		"other manifests": {"manifests/app.json", "x", false},
		"data":            {manifest.DataKey("x", manifest.Sum([]byte("x")), 1, manifest.Plain, nil), "x", false},
	} {
		for scheme, base := range bases(t) {
			for _, pair := range [][2]string{{"", "/x/y"}, {"/x/y", ""}} {
				base := fmt.Sprintf("%s/%d", base, len(pair[0]))
				b, err := providers.Open(t.Context(), base+pair[0], providers.Options{})
				if err != nil {
					t.Fatal(err)
				}
				put(t, b, test.key, test.content)
				_, err = openAt(t, base+pair[1]).Backup(t.Context(), db.source(), options)
				if errors.Is(err, archive.ErrNested) != test.refused || !test.refused && err != nil {
					t.Errorf("%s, %s at %q, a new archive at %q: %v", name, scheme, pair[0], pair[1], err)
				}
			}
		}
	}
}

// A shelf is a catalogue that replaces nothing.
type shelf struct{ *catalogue }

func (s shelf) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if was, there := s.content[key]; there {
		if storetest.SumsOf(was) != sums {
			return store.PutResult{}, store.ErrExists
		}
		return store.PutResult{Existed: true}, nil
	}
	return s.catalogue.Put(ctx, key, body, sums)
}

// A far archive is found below a new one although there are more objects than a search lists: directory by
// directory, the ones nearest to the top first. If it lies too deep for that, too, the backup warns.
func TestSearchOfALargeBucket(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 5)
	db.flip(20)
	for _, test := range []struct {
		prefix string
		found  bool
	}{{"z/orders/node-1/", true}, {"z/" + strings.Repeat("d/", 90), true}, {"", false}} {
		c := &catalogue{gone: map[string]bool{}, content: map[string][]byte{}}
		for i := range 2000 {
			for k := range 60 {
				c.add(fmt.Sprintf("pictures/%04d/%04d.png", i, k), nil)
			}
		}
		if test.found {
			id := manifest.Archive{Format: manifest.Format, ID: "0f8fad5b-d9cb-469f-a165-70867728950e", Created: time.Now().UTC(), Layout: "je"}
			b, err := id.Encode()
			if err != nil {
				t.Fatal(err)
			}
			c.add(test.prefix+manifest.ArchiveKey, b)
		}
		res, err := archive.New(shelf{c}, archive.Options{Transfers: 1}).Backup(t.Context(), db.source(), options)
		switch {
		case test.found && !errors.Is(err, archive.ErrNested):
			t.Errorf("%s: %v", test.prefix, err)
		case !test.found && (err != nil || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "other archives")):
			t.Errorf("%+v, %v", res.Warnings, err)
		}
	}
}

// A closed place is one around an archive that its credentials do not reach.
type closed struct {
	store.Store
	err error
}

func (c closed) Surroundings() []store.Place {
	return []store.Place{{Address: "s3://b/orders", Store: denied(c)}, {Address: "s3://b", Store: denied(c)}}
}

type denied struct {
	store.Store
	err error
}

func (d denied) Get(context.Context, string, int64, int64) (io.ReadCloser, error) { return nil, d.err }

func (d denied) List(context.Context, string, string, string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) { yield(store.Object{}, d.err) }
}

// If the credentials do not allow a read above the archive, the surroundings are unknown. That is
// no error: policies are scoped to prefixes. Another failure is one, since the answer may be
// different the next time.
func TestSurroundingsOutOfReach(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 5)
	db.flip(20)
	a := archive.New(closed{storetest.Memory(t), fmt.Errorf("403: %w", fs.ErrPermission)}, archive.Options{})
	if f, ok := a.Preflight(t.Context()); !ok || f.Result != storecheck.Good {
		t.Errorf("check: %+v", f)
	}
	mustBackup(t, a, db)
	if f, ok := a.Preflight(t.Context()); !ok || f.Result != storecheck.Good {
		t.Errorf("check: %+v", f)
	}
	if r, err := a.Prune(t.Context(), archive.PruneOptions{}); err != nil || r.Within != "" {
		t.Errorf("prune: %+v, %v", r, err)
	}
	broken := errors.New("connection reset")
	a = archive.New(closed{storetest.Memory(t), broken}, archive.Options{})
	if _, err := a.Backup(t.Context(), db.source(), options); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// A nested pair may exist already, made when nothing refused it. Each prune and each check names
// the other one. Both go on.
func TestExistingPair(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 5)
	db.flip(20)
	for scheme, base := range bases(t) {
		for _, place := range []string{"/data/node-2", "/manifests/x", "/x/y", "/probe/x"} {
			base := base + "/" + url.PathEscape(strings.ReplaceAll(place, "/", "-"))
			mustBackup(t, openAt(t, base), db)
			mustCopyTo(t, base, place, db)
			outer, within := openAt(t, base), openAt(t, base+place)
			db.grow(30)
			mustBackup(t, outer, db)
			mustBackup(t, within, db)
			f, ok := within.Preflight(t.Context())
			if !ok || f.Result != storecheck.Note || !strings.Contains(f.Detail, base) || f.Advice == "" {
				t.Errorf("%s: check of the inner one: %+v", scheme, f)
			}
			prefix := strings.TrimPrefix(place, "/") + "/"
			f, ok = outer.Preflight(t.Context())
			if !ok || f.Result != storecheck.Note || !strings.Contains(f.Detail, prefix) || f.Advice == "" {
				t.Errorf("%s: check of the outer one: %+v", scheme, f)
			}
			for range 2 {
				r, err := outer.Prune(t.Context(), archive.PruneOptions{})
				if err != nil || len(r.Nested) != 1 || r.Nested[0].Prefix != prefix || r.Nested[0].Objects == 0 || r.Within != "" {
					t.Errorf("%s: prune of the outer one: %+v, %v", scheme, r, err)
				}
				r, err = within.Prune(t.Context(), archive.PruneOptions{})
				if err != nil || len(r.Nested) != 0 || r.Within != base {
					t.Errorf("%s: prune of the inner one: %+v, %v", scheme, r, err)
				}
			}
			mustVerify(t, outer)
			mustVerify(t, within)
		}
	}
}

// mustCopyTo makes an archive at a place within another one: it is begun elsewhere and its objects are
// moved, as an operator may do.
func mustCopyTo(t *testing.T, base, place string, db *database) {
	t.Helper()
	from := storetest.Memory(t)
	mustBackup(t, archive.New(from, archive.Options{}), db)
	to, err := providers.Open(t.Context(), base+place, providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range from.Keys("") {
		r, err := from.Get(t.Context(), key, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		put(t, to, key, string(b))
	}
}

// A check removes what older probes have left, and nothing of an archive that lies below probe/.
func TestProbeSparesNestedArchives(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for _, prefix := range []string{"probe/", "probe/abcdefghijkl/", "probe/node-2/", "probe/a/b/"} {
		w := newWeak(t)
		long := time.Now().Add(-48 * time.Hour)
		w.Now = func() time.Time { return long }
		in := newInner(t, w.InMemory, prefix)
		o := archive.VerifyOptions{ReadData: true, Proof: true}
		if _, err := archive.New(in.store, archive.Options{}).Verify(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		in.before = w.Keys(prefix)
		put(t, w, store.ProbePrefix+"old/first", "old")
		put(t, w, store.ProbePrefix+"old/many/0042", "old")
		w.Now = nil
		if f := probe(t, w)["delete"]; f.Result != storecheck.Good {
			t.Errorf("%+v", f)
		}
		if left := w.Keys(""); !slices.Equal(left, in.before) {
			t.Errorf("%s: left are %q, want %q", prefix, left, in.before)
		}
	}
}

// A symbolic link does not hide what lies around an archive in a directory.
func TestNewArchiveBehindALink(t *testing.T) {
	t.Parallel()
	db, dir := newDatabase(t, t.TempDir(), 5), t.TempDir()
	db.flip(20)
	mustBackup(t, openAt(t, "file://"+dir+"/backups"), db)
	inside := filepath.Join(dir, "backups", "x")
	if err := errors.Join(os.Mkdir(inside, 0o755), os.Symlink(inside, filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/link", "/link/y/z"} {
		if _, err := openAt(t, "file://"+dir+path).Backup(t.Context(), db.source(), options); !errors.Is(err, archive.ErrNested) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
