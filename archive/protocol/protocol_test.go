package protocol

import (
	"testing"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
)

// A scenario is a model of the protocol as it is meant to be.
type scenario struct {
	name  string
	model model
	long  bool // left out with -short
}

// unlucky is a player who may crash in any step and begin again, and to whom the answer to
// a commit may be lost. (Who stays away for good needs no crash: he has no more turns.)
func unlucky(p player) player {
	p.crashes, p.lossy = 1, true
	return p
}

// ofCopy is a player who works on the second archive.
func ofCopy(p player) player {
	p.store = 1
	return p
}

var scenarios = []scenario{
	{name: "two backups and two prunes", model: model{
		history: past, sequences: 4, records: 3,
		cast: []player{backups(1), backups(1), prunes(1), prunes(1)},
	}},
	{name: "crashes and lost answers", model: model{
		joined: true, history: past, sequences: 4, records: 3,
		cast: []player{unlucky(backups(1)), backups(1), unlucky(prunes(1))},
	}},
	{name: "a hold that may crash", model: model{
		joined: true, history: past, sequences: 3, records: 4,
		cast: []player{backups(1), prunes(1), prunes(1), unlucky(holds(1))},
	}},
	{name: "a late manifest while others read", model: model{
		history: longer, sequences: 4, records: 2, idle: true,
		splitLedger: true, splitManifests: true, splitDeletes: true,
		cast: []player{late, prunes(1), lists(1), backups(1)},
	}},
	{name: "late records", long: true, model: model{
		joined: true, history: longer, sequences: 4, records: 3, splitLedger: true,
		cast: []player{late, prunes(1), prunes(2)},
	}},
	{name: "a backup cannot read the newest, another remembers more than there is", long: true, model: model{
		joined: true, history: past, sequences: 5, records: 2,
		cast: []player{{job: backup, runs: 1, blind: true}, {job: backup, runs: 1, witnessed: 3}, backups(1), prunes(1)},
	}},
	{name: "a copy", model: model{
		joined: true, history: longer, copied: 1, sequences: 4, records: 2,
		cast: []player{late, prunes(1), unlucky(copies(1)), ofCopy(prunes(1))},
	}},
	{name: "late records step by step", long: true, model: model{
		history: longer, sequences: 4, records: 3, splitLedger: true, splitManifests: true,
		cast: []player{late, prunes(1), prunes(2)},
	}},
	{name: "copies", long: true, model: model{
		joined: true, history: longer, copied: 1, sequences: 4, records: 2,
		cast: []player{late, prunes(1), copies(1), copies(1), ofCopy(prunes(1))},
	}},
	{name: "two backups, two prunes, a hold", long: true, model: model{
		joined: true, history: past, sequences: 4, records: 3,
		cast: []player{backups(1), backups(1), prunes(1), prunes(1), holds(1)},
	}},
	{name: "two backups, two prunes, a hold, a copy", long: true, model: model{
		joined: true, history: past[:1], copied: 1, sequences: 3, records: 2,
		cast: []player{backups(1), backups(1), prunes(1), prunes(1), holds(1), copies(1)},
	}},
	{name: "crashes and lost answers beside others", long: true, model: model{
		joined: true, history: past, sequences: 4, records: 2,
		cast: []player{unlucky(backups(1)), backups(1), unlucky(prunes(1)), prunes(1)},
	}},
	{name: "copies step by step", long: true, model: model{
		history: longer, copied: 1, sequences: 4, records: 2,
		cast: []player{late, backups(1), prunes(1), copies(1), ofCopy(prunes(1))},
	}},
	{name: "prunes step by step", long: true, model: model{
		history: past, sequences: 4, records: 3, splitLedger: true, splitManifests: true, splitDeletes: true,
		cast: []player{backups(1), backups(1), prunes(1), prunes(1)},
	}},
}

// TestProtocol goes through every state of each scenario; in none may anything be wrong.
func TestProtocol(t *testing.T) {
	t.Parallel()
	if soaktest.Racing {
		t.Skip("there is one goroutine, and the race detector makes it ten times slower: run without -race")
	}
	for _, tt := range scenarios {
		t.Run(tt.name, func(t *testing.T) {
			if tt.long && testing.Short() {
				t.Skip("takes longer: run without -short")
			}
			m := tt.model
			m.rules = protocol()
			r := explore(&m)
			t.Log(r)
			if r.problem != "" {
				t.Fatal("\n" + r.text())
			}
		})
	}
}
