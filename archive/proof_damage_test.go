package archive_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// reads counts the requests for data.
type reads struct {
	*storetest.InMemory
	count atomic.Int64
}

func (r *reads) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasPrefix(key, manifest.DataPrefix) || strings.HasPrefix(key, manifest.BundlesPrefix) {
		r.count.Add(1)
	}
	return r.InMemory.Get(ctx, key, offset, length)
}

// putProof stores a verification record as an attacker may, who can create objects.
func putProof(t *testing.T, s *storetest.InMemory, p *manifest.Proof) {
	t.Helper()
	p.Format, p.Kind, p.Created = manifest.Format, manifest.ProofVerify, time.Now().UTC().Truncate(time.Millisecond)
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), manifest.ProofKey(p.Created, p.Kind), bytes.NewReader(b), storetest.SumsOf(b)); err != nil {
		t.Fatal(err)
	}
}

// doubted is an archive in which a verify has found an object damaged.
type doubted struct {
	*original
	t     *testing.T
	store *reads
	file  string // the name of a file whose content is damaged
	bad   string // the object that has it
	good  []byte
	state string
	o     archive.Options
}

func newDoubted(t *testing.T, files int, o archive.Options) *doubted {
	t.Helper()
	s := &reads{InMemory: storetest.Memory(t)}
	d := &doubted{t: t, store: s, state: t.TempDir(), o: o}
	d.original = &original{db: newDatabase(t, t.TempDir(), 90), store: s}
	d.db.fill(files, 400)
	mustBackup(t, archive.New(s, o), d.db)
	d.want = append(d.want, d.db.files)
	m := newest(t, archive.New(s, o))
	d.bad = m.Files[0].Parts[0].Object
	d.good = s.Snapshot().Bytes(d.bad)
	s.Damage(d.bad, flipped)
	r := d.verify(1, archive.VerifyOptions{Proof: true, ReadData: true})
	d.file = r.Problems[0].Files[0] // of a bundle, it is in the middle
	return d
}

// host returns the archive as a host opens it, with local state or without.
func (d *doubted) host(state bool) *archive.Archive {
	o := d.o
	if state {
		o.State = &archive.LocalState{Dir: d.state}
	}
	return archive.New(d.store, o)
}

func (d *doubted) verify(problems int, o archive.VerifyOptions) *archive.VerifyReport {
	d.t.Helper()
	time.Sleep(time.Hour)
	r, err := d.host(false).Verify(d.t.Context(), o)
	if err != nil || r.Unproven != "" || len(r.Problems) != problems {
		d.t.Fatalf("want %d problems: %+v, %v", problems, r, err)
	}
	return r
}

// object returns where the newest snapshot has the file.
func (d *doubted) object() string {
	d.t.Helper()
	m := newest(d.t, d.host(false))
	i := slices.IndexFunc(m.Files, func(f manifest.File) bool { return f.Name == d.file })
	return m.Files[i].Parts[0].Object
}

// archived checks whether the damaged object's file counts as archived.
func (d *doubted) archived(what string, want bool) {
	d.t.Helper()
	for _, state := range []bool{false, true} {
		a := d.host(state)
		for range 2 { // the second time from memory
			not, err := a.Archived(d.t.Context(), newest(d.t, a), d.db.dir, []string{d.file})
			if err != nil || (len(not) == 0) != want {
				d.t.Fatalf("%s, local state %v: %+v, %v", what, state, not, err)
			}
		}
	}
}

func forgeries(d *doubted) map[string]*manifest.Proof {
	id := newest(d.t, d.host(false)).Archive
	return map[string]*manifest.Proof{
		"sound":               {Archive: id, Outcome: manifest.OutcomeOK, Snapshots: 1, Objects: 5},
		"of another archive":  {Archive: "6b0f3b0e-2f4e-4c58-9f5a-0d5b4a4f2a10", Outcome: manifest.OutcomeOK},
		"with other problems": {Archive: id, Outcome: manifest.OutcomeFailed, Problems: []manifest.ProofProblem{{Object: "data/x", What: "content"}}},
	}
}

// A record that is newer, and names nothing, does not make damaged content count as archived: a cleaner would delete
// the last good copy. Backups store the content again, and every later verify names the damage.
func TestForgedProofHidesNoDamage(t *testing.T) {
	t.Parallel()
	for _, files := range []int{4, 30} { // 30 are bundled
		for _, how := range []string{"plain", "encrypted"} {
			for _, forged := range []string{"sound", "of another archive", "with other problems"} {
				virtually(t, func(t *testing.T) {
					o := archive.Options{}
					if how == "encrypted" {
						o.Encoder = encoder(t, encoding.Zstd, newIdentity(t))
					}
					d := newDoubted(t, files, o)
					what := how + ", a forged record " + forged
					for range 4 { // more than a prune keeps regardless of their age
						time.Sleep(time.Hour)
						putProof(t, d.store.InMemory, forgeries(d)[forged])
					}
					d.archived(what, false)
					d.verify(1, archive.VerifyOptions{Proof: true})
					d.archived(what+", then a verify", false)
					time.Sleep(time.Hour)
					putProof(t, d.store.InMemory, forgeries(d)[forged])
					time.Sleep(time.Hour)
					if res := mustBackup(t, d.host(false), d.db); !res.Committed || len(res.Changed) > 0 {
						t.Fatalf("%s: the backup relies on what is damaged: %+v", what, res)
					}
					if d.object() == d.bad {
						t.Fatalf("%s: the backup names %s", what, d.bad)
					}
					d.archived(what+", then a backup", true)
					d.verify(1, archive.VerifyOptions{Proof: true}) // snapshot 1 needs it
				})
			}
		}
	}
}

// A host with a slow clock finds the damage, and forged records come later. A prune deletes old records, and not the one
// that names what a kept snapshot needs.
func TestPruneKeepsWhatNamesDamage(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		d := newDoubted(t, 4, archive.Options{})
		var slow string
		for _, key := range d.store.Keys(manifest.ProofsPrefix) {
			at, kind, _ := manifest.ParseProofKey(key)
			b := d.store.Snapshot().Bytes(key)
			d.store.Remove(key)
			key = manifest.ProofKey(at.AddDate(-2, 0, 0), kind)
			d.store.Replace(key, b)
			if kind == manifest.ProofVerify {
				slow = key
			}
		}
		for range 4 {
			time.Sleep(time.Hour)
			putProof(t, d.store.InMemory, forgeries(d)["sound"])
		}
		prune := func() {
			t.Helper()
			if _, err := d.host(false).Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}}); err != nil {
				t.Fatal(err)
			}
		}
		prune()
		d.archived("after a prune", false)
		if res := mustBackup(t, d.host(false), d.db); !res.Committed {
			t.Fatalf("%+v", res)
		}
		prune()
		if slices.Contains(d.store.Keys(manifest.ProofsPrefix), slow) {
			t.Error("no snapshot needs the object any more, and the record that names it is kept")
		}
		d.archived("stored again", true)
	})
}

// Damage that is no more ends for every host: by reading the content back once, or by the store, which shows that a
// repair has made the object again.
func TestNamedDamageEnds(t *testing.T) {
	t.Parallel()
	for _, files := range []int{4, 30} {
		virtually(t, func(t *testing.T) {
			d := newDoubted(t, files, archive.Options{})
			d.store.Damage(d.bad, flipped) // flips it back: the provider's fault, whose time it does not change
			d.archived("the latest record names it", false)
			d.verify(1, archive.VerifyOptions{Proof: true})
			d.verify(0, archive.VerifyOptions{Proof: true, ReadData: true})
			a := d.host(true)
			m := newest(t, a)
			before := d.store.count.Load()
			for range 3 {
				if not, err := a.Archived(t.Context(), m, d.db.dir, []string{d.file}); err != nil || len(not) > 0 {
					t.Fatalf("%+v, %v", not, err)
				}
				a = d.host(true) // another process
			}
			if n := d.store.count.Load() - before; n != 1 {
				t.Errorf("%d files: the content was read %d times", files, n)
			}
			if res := mustBackup(t, d.host(true), d.db); res.Committed {
				t.Errorf("%+v", res)
			}
			d.verify(0, archive.VerifyOptions{Proof: true})
		})
	}
	virtually(t, func(t *testing.T) {
		d := newDoubted(t, 4, archive.Options{})
		time.Sleep(time.Hour)
		d.store.Replace(d.bad, d.good) // as a repair that stores no record
		before := d.store.count.Load()
		d.archived("it was made again", true)
		d.verify(0, archive.VerifyOptions{Proof: true})
		if n := d.store.count.Load() - before; n > 0 {
			t.Errorf("%d reads, although the store shows it", n)
		}
	})
}

// A missing object that appears again may be an attacker's, with the promised size and a forged CRC-32C. It is read
// back.
func TestObjectThatAppearsAgainIsRead(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		d := newDoubted(t, 4, archive.Options{})
		d.store.Remove(d.bad)
		d.verify(1, archive.VerifyOptions{Proof: true})
		time.Sleep(time.Hour)
		d.store.Replace(d.bad, storetest.Forge(d.good))
		d.archived("the latest record names it", false)
		putProof(t, d.store.InMemory, forgeries(d)["sound"])
		d.archived("a forged object and a forged record", false)
		d.verify(1, archive.VerifyOptions{Proof: true})
	})
}

// Listings and the status are of what verifies found. A forged record hides none of it from a host with local state.
func TestFindingsOutliveAForgedProof(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		d := newDoubted(t, 4, archive.Options{})
		time.Sleep(time.Hour)
		putProof(t, d.store.InMemory, forgeries(d)["sound"])
		a := d.host(true)
		for range 2 {
			found, err := a.LastFindings(t.Context(), newest(t, a).Archive)
			if err != nil || found == nil || found.Problems != 1 {
				t.Fatalf("%+v, %v", found, err)
			}
		}
		time.Sleep(time.Hour)
		d.store.Replace(d.bad, d.good)
		a = d.host(true)
		if found, err := a.LastFindings(t.Context(), newest(t, a).Archive); err != nil || found.Problems != 0 {
			t.Fatalf("%+v, %v", found, err)
		}
	})
}

// A service keeps an Archive open while it verifies. What its own verify has read back is not read again.
func TestOpenArchiveUsesWhatItsVerifyRead(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		d := newDoubted(t, 4, archive.Options{})
		d.store.Damage(d.bad, flipped) // flips it back
		a := d.host(true)
		m := newest(t, a)
		if not, err := a.Archived(t.Context(), m, d.db.dir, []string{d.file}); err != nil || len(not) == 0 {
			t.Fatalf("%+v, %v", not, err)
		}
		time.Sleep(time.Hour)
		r, err := a.Verify(t.Context(), archive.VerifyOptions{Proof: true, ReadData: true})
		if err != nil || len(r.Problems) > 0 || r.Unproven != "" {
			t.Fatalf("%+v, %v", r, err)
		}
		before := d.store.count.Load()
		if not, err := a.Archived(t.Context(), m, d.db.dir, []string{d.file}); err != nil || len(not) > 0 {
			t.Fatalf("%+v, %v", not, err)
		}
		if n := d.store.count.Load() - before; n > 0 {
			t.Errorf("the content was read %d times more", n)
		}
	})
}
