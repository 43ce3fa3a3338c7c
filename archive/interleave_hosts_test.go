package archive_test

import (
	"os"
	"strings"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// A host keeps local state, which its processes share, and may lose it between their runs.
type host struct {
	dir     string
	forgets bool
}

// recruit makes the hosts of the parties. A nil one keeps no local state at all.
func (w *theatre) recruit() {
	if w.rand.IntN(3) > 0 {
		w.hosts = []*host{nil, {dir: w.t.TempDir()}, {dir: w.t.TempDir()}, {dir: w.t.TempDir(), forgets: true}}
	}
}

// state returns what a host has of an archive as a process begins.
func (h *host) state(p *party, o *oracle) *archive.LocalState {
	if h == nil {
		return nil
	}
	if h.forgets && p.rand.IntN(2) == 0 {
		if err := os.RemoveAll(h.dir); err != nil {
			p.w.say("%s keeps some of its local state: %v", p.name, err) // another process writes to it
		}
	}
	return &archive.LocalState{Dir: h.dir, Place: "test:" + o.name}
}

func (w *theatre) open(p *party, o *oracle) *archive.Archive { return w.process(p, o, false) }

func (w *theatre) openFresh(p *party, o *oracle) *archive.Archive { return w.process(p, o, true) }

// process opens an archive as a process of the party's host does.
func (w *theatre) process(p *party, o *oracle, fresh bool) *archive.Archive {
	s := stage{p: p, o: o, fresh: fresh}
	if w.address != nil && w.address.held {
		s.hold = &holding{}
	}
	return archive.New(s, archive.Options{Transfers: 2, State: p.host.state(p, o)})
}

// reported checks that a reported snapshot is valid, or was valid before a record dropped it.
func (w *theatre) reported(o *oracle, p *party, n int64) {
	for _, at := range w.places(o) {
		sum, made := p.made[at.name+manifest.ManifestKey(n)]
		for ref := range at.ever {
			if ref.Sequence == n && (!made || ref.SHA256 == sum) {
				return
			}
		}
	}
	w.fatal("%s: snapshot %d is reported, and never was one", o.name, n)
}

// checkWarnings checks that no host misses a snapshot: the newest in its local state stays the
// newest, or is followed by a newer one.
func (w *theatre) checkWarnings(r *archive.BackupResult) {
	if w.address != nil || w.damaged || r == nil {
		return
	}
	for _, warning := range r.Warnings {
		if strings.Contains(warning, "this host") {
			w.fatal("a backup warns of a loss where there is none: %s", warning)
		}
	}
}
