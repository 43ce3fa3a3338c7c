package protocol

// A job is an actor's operation, done over and over, as often as its budget allows.
type job uint8

const (
	backup job = iota
	prune
	hold   // hold a snapshot, then release it
	copier // copy the archive to the second store
	list   // list the snapshots
	repair // restore what rot has damaged
	vandal // create one object that no actor can read
)

func (j job) String() string {
	return [...]string{"backup", "prune", "hold", "copy", "list", "repair", "vandal"}[j]
}

// A player is an actor as a scenario casts it.
type player struct {
	job     job
	store   int // the archive that it works on; copier: copies 0 to 1
	runs    int
	crashes int  // how often it may stop in the middle and begin again without memory
	lossy   bool // the answer to its commit may be lost

	witnessed int  // the greatest snapshot in its host's local state, in the bucket or not
	blind     bool // it cannot read the newest manifest; others can
	late      int  // it was suspended long ago, when it was to create this manifest
	twice     bool // its deletes may take effect again, at any later time
}

// An actor is a player's situation and memory. A field that is no longer needed is cleared, so that
// equal situations are equal states.
//
// The larger fields come first: a state without padding is hashed at one go.
type actor struct {
	names    objects             // the names of the manifest to be written, or of the kept ones
	todo     objects             // the objects still to be stored
	rec      record              // the ledger's record as read; then, for an actor that writes one, the plan
	seen     [maxSequence]author // the manifests to be shown
	pc       pc
	sub      uint8  // the step within reading the ledger
	runs     uint8  // the runs still to do
	crashes  uint8  // the crashes that may still happen
	number   int8   // of the record that was read
	list     uint8  // the manifests that were listed
	base     int8   // the manifest to build on
	aim      int8   // the manifest or record to be written
	by       author // the author of the copied or reported manifest
	target   int8   // the snapshot to hold; below 0: the one to release
	late     uint8  // those of seen that were invalid from the beginning; only the invariants read it
	bornVoid bool   // of the manifest to be reported; only the invariants read it
	doubt    bool   // the record after the one that was read cannot be read

	// Deletes that may arrive again; no step clears them.
	again          objects
	againManifests uint8
	againBy        author // whose manifest a repair has read
}

// A state is everything: two archives and the actors.
type state struct {
	stores [2]store
	actors [maxActors]actor
}

// A model is a scenario under certain rules.
type model struct {
	rules          rules
	cast           []player
	history        []objects // the snapshots that are there at the beginning
	rot            rot       // damage to them, in the first archive
	copied         int       // how many of them the second archive has
	sequences      int       // no actor aims higher
	records        int
	joined         bool // requests of one kind that follow one another are one step
	splitLedger    bool // listing the ledger and reading the record are steps of their own
	splitManifests bool // listing the manifests and reading one are, too
	splitDeletes   bool // each thing is deleted with a step of its own
	idle           bool // a backup may find nothing changed

	endless bool // the checks at the end are left out
	lasting bool // nothing right and needed may be deleted
	settled bool // once all repairs have ended, nothing may be missing

	tracing bool // steps are described in words
}

func (m *model) initial() state {
	var s state
	for i, names := range m.history {
		s.stores[0].manifests[i] = manifest{by: before, names: names}
		s.stores[0].objects |= names
		if i < m.copied {
			s.stores[1] = s.stores[0]
		}
	}
	s.stores[0].strike(m.rot)
	for i, p := range m.cast {
		a := &s.actors[i]
		*a = actor{runs: uint8(p.runs), crashes: uint8(p.crashes)}
		if p.late > 0 {
			a.pc, a.aim, a.names = committing, int8(p.late), m.history[p.late-2]
		}
	}
	return s
}

// A successor is a state and how it came about.
type successor struct {
	state state
	note  string // only when tracing
	err   string // the violated rule
}

// A turn is one actor's chance to take one step. It is passed by value: an actor with two possible
// steps changes two copies.
type turn struct {
	m   *model
	i   int
	s   state
	out *[]successor
}

func (t *turn) actor() *actor { return &t.s.actors[t.i] }
func (t *turn) me() author    { return first + author(t.i) }
func (t *turn) store() *store { return &t.s.stores[t.m.cast[t.i].store] }

// restart makes the actor begin its run again without memory.
func (t turn) restart(format string, args ...any) {
	t.reset(start)
	if t.m.cast[t.i].job == repair {
		t.actor().target = 0 // it searches again
	}
	t.emitNote("", ", and starts over", format, args...)
}

// reset clears the actor's memory, except for its remaining work.
func (t *turn) reset(to pc) {
	a := t.actor()
	*a = actor{
		pc: to, runs: a.runs, crashes: a.crashes, target: a.target,
		again: a.again, againManifests: a.againManifests, againBy: a.againBy,
	}
}

// stop ends all runs.
func (t *turn) stop() {
	t.reset(done)
	a := t.actor()
	a.runs, a.crashes, a.target = 0, 0, 0
}

// finish ends the run; there may be another.
func (t *turn) finish() {
	a := t.actor()
	a.runs--
	a.target = 0
	t.reset(start)
	if a.runs == 0 {
		t.stop()
	}
}

// next appends the states that one step of actor i leads to. A delete that arrives again comes
// last: an actor that is alone takes the first step.
func (m *model) next(s *state, i int, out *[]successor) {
	a := &s.actors[i]
	if a.pc != done {
		m.act(s, i, out)
	}
	if a.again != 0 || a.againManifests != 0 {
		turn{m, i, *s, out}.deleteAgain()
	}
}

func (m *model) act(s *state, i int, out *[]successor) {
	a := &s.actors[i]
	t := turn{m, i, *s, out}
	switch m.cast[i].job {
	case backup:
		t.backup()
	case prune, hold:
		t.editor()
	case copier:
		t.copier()
	case list:
		t.lister()
	case repair:
		t.repairer()
	case vandal:
		t.vandalize()
	}
	if a.crashes > 0 && (a.pc != start || a.sub != 0) {
		t := turn{m, i, *s, out}
		t.actor().crashes--
		t.reset(start)
		if m.cast[i].job == repair {
			t.actor().target = 0
		}
		t.emit("crashes and begins again")
	}
}

// pc is an actor's next step.
type pc uint8

const (
	start pc = iota // read the ledger
	listing
	reading
	storing
	committing
	settling
	checking
	// Actors that write records, from here.
	gathering
	deleting
	holding
	// A copy.
	sourcing
	choosing
	judging
	fetching
	// A repair.
	naming
	removing
	putting
	confirming
	done
)

// readLedger takes one step of reading the greatest record of a store, and calls then in
// the last, with number and rec set. If it is not split, that is one step: listing,
// reading and listing once more gives just what was there when the record was read.
func (t turn) readLedger(st int, then func(turn)) {
	a, s := t.actor(), &t.s.stores[st]
	greatest := s.greatest()
	a.doubt = s.hasDoubt()
	switch {
	case !t.m.splitLedger:
		a.number, a.rec = int8(greatest), s.record(greatest)
		then(t)
	case a.sub == 0:
		a.sub, a.number = 1, int8(greatest)
		if greatest == 0 {
			a.sub = 0
			then(t)
			return
		}
		t.emit("lists the ledger: %d is the greatest", greatest)
	case a.sub == 1:
		a.rec = s.record(int(a.number))
		switch {
		case a.rec.by == noAuthor:
			a.sub = 0
			t.emit("finds record %d gone, and lists again", a.number)
		case t.m.rules.recordReread:
			a.sub = 2
			t.emit("reads record %d, by %v %v", a.number, a.rec.by, &a.rec)
		default:
			a.sub = 0
			then(t)
		}
	case int(a.number) != greatest:
		a.sub, a.number, a.rec = 0, 0, record{}
		t.emit("lists the ledger again: %d is the greatest now", greatest)
	default:
		a.sub = 0
		then(t)
	}
}
