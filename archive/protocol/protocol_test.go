package protocol

import (
	"fmt"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
)

// A scenario is a model of the protocol as it is meant to be.
type scenario struct {
	name   string
	model  model
	long   bool // left out with -short
	soak   bool // for the soak alone: make test visits all states of a smaller one
	states int  // their number: a checker that misses some would miss their faults

	ignores bool // the store ignores the condition of a repair's delete
}

// unlucky is a player that may crash in any step and begin again, and whose answer to a commit may
// be lost. (A player that stays away for good needs no crash: it has no more turns.)
func unlucky(p player) player {
	p.crashes, p.lossy = 1, true
	return p
}

// ofCopy is a player that works on the second archive.
func ofCopy(p player) player {
	p.store = 1
	return p
}

var scenarios = []scenario{
	{name: "two backups and two prunes", states: 139_882, model: model{
		history: past, sequences: 4, records: 3,
		cast: []player{backups(1), backups(1), prunes(1), prunes(1)},
	}},
	{name: "crashes and lost answers", states: 120_945, model: model{
		joined: true, history: past, sequences: 4, records: 3,
		cast: []player{unlucky(backups(1)), backups(1), unlucky(prunes(1))},
	}},
	{name: "a hold that may crash", states: 241_900, model: model{
		joined: true, history: past, sequences: 3, records: 4,
		cast: []player{backups(1), prunes(1), prunes(1), unlucky(holds(1))},
	}},
	{name: "a late manifest while others read", states: 389_964, model: model{
		history: longer, sequences: 4, records: 2, idle: true,
		splitLedger: true, splitManifests: true, splitDeletes: true,
		cast: []player{late, prunes(1), lists(1), backups(1)},
	}},
	{name: "a vandal beside a backup, a prune and a hold", states: 73_647, model: model{
		history: past, sequences: 3, records: 2,
		cast: []player{vandals(1), backups(1), prunes(1), holds(1)},
	}},
	{name: "a vandal beside those that may crash", states: 251_794, long: true, model: model{
		joined: true, history: past, sequences: 3, records: 3,
		cast: []player{vandals(1), unlucky(backups(1)), backups(1), unlucky(prunes(1))},
	}},
	{name: "a vandal beside a copy", states: 27_328, long: true, model: model{
		joined: true, history: past, copied: 1, sequences: 3, records: 2,
		cast: []player{vandals(1), backups(1), prunes(1), copies(1)},
	}},
	{name: "late records", states: 668_684, long: true, model: model{
		joined: true, history: longer, sequences: 4, records: 3, splitLedger: true,
		cast: []player{late, prunes(1), prunes(2)},
	}},
	{name: "a backup cannot read the newest, another has more state", states: 717_508, long: true, model: model{
		joined: true, history: past, sequences: 5, records: 2,
		cast: []player{
			{job: backup, runs: 1, blind: true}, {job: backup, runs: 1, witnessed: 3}, backups(1), prunes(1),
		},
	}},
	{name: "a copy", states: 392_716, model: model{
		joined: true, history: longer, copied: 1, sequences: 4, records: 2,
		cast: []player{late, prunes(1), unlucky(copies(1)), ofCopy(prunes(1))},
	}},
	{name: "late records step by step, with one prune each", states: 115_172, long: true, model: model{
		history: longer, sequences: 4, records: 2, splitLedger: true, splitManifests: true,
		cast: []player{late, prunes(1), prunes(1)},
	}},
	{name: "two copies", states: 40_292, long: true, model: model{
		joined: true, history: longer, copied: 1, sequences: 3, records: 2,
		cast: []player{prunes(1), copies(1), copies(1), ofCopy(prunes(1))},
	}},
	{name: "two backups, a prune, a hold", states: 56_358, long: true, model: model{
		joined: true, history: past, sequences: 4, records: 3,
		cast: []player{backups(1), backups(1), prunes(1), holds(1)},
	}},
	{name: "a backup, two prunes, a hold, a copy", states: 47_472, long: true, model: model{
		joined: true, history: past[:1], copied: 1, sequences: 3, records: 2,
		cast: []player{backups(1), prunes(1), prunes(1), holds(1), copies(1)},
	}},
	{name: "crashes and lost answers beside a prune", states: 39_058, long: true, model: model{
		joined: true, history: past, sequences: 3, records: 2,
		cast: []player{unlucky(backups(1)), unlucky(prunes(1)), prunes(1)},
	}},
	{name: "a copy step by step", states: 81_718, long: true, model: model{
		history: longer, copied: 1, sequences: 3, records: 2,
		cast: []player{late, prunes(1), copies(1), ofCopy(prunes(1))},
	}},
	{name: "a copy beside a backup, step by step", states: 95_622, long: true, model: model{
		history: past, copied: 1, sequences: 3, records: 2,
		cast: []player{backups(1), prunes(1), copies(1), ofCopy(prunes(1))},
	}},
	{name: "two prunes step by step", states: 35_739, long: true, model: model{
		history: past, sequences: 3, records: 3, splitLedger: true, splitManifests: true, splitDeletes: true,
		cast: []player{backups(1), prunes(1), prunes(1)},
	}},
	{name: "late records step by step", states: 1_776_901, soak: true, model: model{
		history: longer, sequences: 4, records: 3, splitLedger: true, splitManifests: true,
		cast: []player{late, prunes(1), prunes(2)},
	}},
	{name: "copies", states: 2_388_132, soak: true, model: model{
		joined: true, history: longer, copied: 1, sequences: 4, records: 2,
		cast: []player{late, prunes(1), copies(1), copies(1), ofCopy(prunes(1))},
	}},
	{name: "two backups, two prunes, a hold", states: 1_483_959, soak: true, model: model{
		joined: true, history: past, sequences: 4, records: 3,
		cast: []player{backups(1), backups(1), prunes(1), prunes(1), holds(1)},
	}},
	{name: "two backups, two prunes, a hold, a copy", states: 2_812_216, soak: true, model: model{
		joined: true, history: past[:1], copied: 1, sequences: 3, records: 2,
		cast: []player{backups(1), backups(1), prunes(1), prunes(1), holds(1), copies(1)},
	}},
	{name: "crashes and lost answers beside others", states: 4_669_924, soak: true, model: model{
		joined: true, history: past, sequences: 4, records: 2,
		cast: []player{unlucky(backups(1)), backups(1), unlucky(prunes(1)), prunes(1)},
	}},
	{name: "copies step by step", states: 6_614_982, soak: true, model: model{
		history: longer, copied: 1, sequences: 4, records: 2,
		cast: []player{late, backups(1), prunes(1), copies(1), ofCopy(prunes(1))},
	}},
	{name: "prunes step by step", states: 4_337_427, soak: true, model: model{
		history: past, sequences: 4, records: 3, splitLedger: true, splitManifests: true, splitDeletes: true,
		cast: []player{backups(1), backups(1), prunes(1), prunes(1)},
	}},
}

// TestProtocol goes through every state of each scenario; no state may break a rule. A soak takes the largest scenarios
// too, at full size. Each round has other fingerprints of the states.
func TestProtocol(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	isFull := soaktest.IsFull(t)
	soaktest.Rounds(t, 1, 1, func(t *testing.T, seed uint64) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { // ends when all scenarios have
			for _, tt := range scenarios {
				if !tt.soak || isFull {
					t.Run(tt.name, tt.visit)
				}
			}
		})
	})
}

// visit goes through every state of a scenario.
func (tt scenario) visit(t *testing.T) {
	t.Parallel()
	if tt.long && testing.Short() {
		t.Skip("takes longer: run without -short")
	}
	tt.model.rules = protocol()
	tt.model.rules.deletesWhatWasRead = !tt.ignores
	r := explore(&tt.model, tt.states)
	t.Log(r)
	if r.problem != "" {
		t.Fatal("\n" + r.text())
	}
	soaktest.Count(t, "states", int64(r.states))
	if r.states != tt.states {
		t.Errorf("there are %d states, not %d: has the model changed?", r.states, tt.states)
	}
}
