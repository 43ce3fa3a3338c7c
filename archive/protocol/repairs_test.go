package protocol

import (
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
)

// twice is a player with deletes that may arrive twice.
func twice(p player) player {
	p.twice = true
	return p
}

// A repairScenario begins after rot has struck.
type repairScenario struct {
	scenario
	ignored int // the number of states in a store that ignores the condition of a delete
}

var repairScenarios = []repairScenario{
	{ignored: 7_504, scenario: scenario{
		states: 6_796,
		name:   "two repairs of an object",
		model: model{
			history: past, rot: rot{spoiled: object(1, 1)}, sequences: 4, records: 3, settled: true,
			cast: []player{repairs(1), repairs(1), backups(1), prunes(1)},
		},
	}},
	{ignored: 99_960, scenario: scenario{
		states: 88_258,
		name:   "two repairs of the newest manifest",
		model: model{
			history: past, rot: rot{manifest: 2}, sequences: 4, records: 4, settled: true,
			cast: []player{repairs(1), repairs(1), backups(1), prunes(1)},
		},
	}},
	{ignored: 206_888, scenario: scenario{
		states: 147_602, long: true,
		name: "repairs of objects crash, and deletes arrive twice",
		model: model{
			joined: true, history: past, rot: rot{spoiled: object(0, 1), gone: object(1, 1)}, sequences: 4, records: 3,
			cast: []player{twice(unlucky(repairs(1))), twice(repairs(1)), backups(1), prunes(1)},
		},
	}},
	{ignored: 341_001, scenario: scenario{
		states: 218_680, long: true,
		name: "repairs of a manifest crash, and deletes arrive twice",
		model: model{
			joined: true, history: past, rot: rot{manifest: 2}, sequences: 4, records: 4,
			cast: []player{twice(unlucky(repairs(1))), twice(repairs(1)), backups(1), prunes(1)},
		},
	}},
	{ignored: 151_279, scenario: scenario{
		states: 94_014, long: true,
		name: "a late manifest takes the number of one that is repaired",
		model: model{
			history: past, rot: rot{manifest: 2}, sequences: 4, records: 4, splitManifests: true, splitDeletes: true,
			cast: []player{late, twice(repairs(1)), prunes(1), lists(1)},
		},
	}},
	{ignored: 740_031, scenario: scenario{
		states: 309_391, long: true,
		name: "a repair, a copy",
		model: model{
			joined: true, history: longer, copied: 1, rot: rot{manifest: 3, spoiled: object(0, 3)}, sequences: 4, records: 4,
			cast: []player{twice(repairs(1)), copies(1), backups(1), prunes(1)},
		},
	}},
	{ignored: 525_454, scenario: scenario{
		states: 525_454, long: true,
		name: "a prune's deletes arrive twice beside a repair",
		model: model{
			joined: true, history: longer, rot: rot{spoiled: object(0, 1)}, sequences: 5, records: 5,
			lasting: true, settled: true,
			cast: []player{repairs(1), backups(1), twice(prunes(2)), holds(1)},
		},
	}},
}

// TestRepairs goes through every state of each scenario twice. First, deletes remove only the content
// that was read: no actor may delete a right object, and nothing may be missing once all repairs have
// ended. Then the store ignores the condition: there the repairs that go on restore what is lost.
func TestRepairs(t *testing.T) {
	soaktest.SkipIfRacing(t)
	for _, tt := range repairScenarios {
		exact, weak := tt.scenario, tt.scenario
		exact.model.lasting, exact.model.settled = true, true
		t.Run(tt.name, exact.visit)
		weak.ignores, weak.states = true, tt.ignored
		t.Run(tt.name+", in a store that ignores conditions", weak.visit)
	}
}

// These are the faults that remain in a store that ignores the condition of a delete.
var lateDeletes = []struct {
	name  string
	model model
	want  string
}{
	{
		"a repair deletes the object that another has restored",
		model{rot: rot{spoiled: object(1, 1)}, lasting: true, cast: []player{repairs(1), repairs(1)}},
		"a repair deletes {b-1}, which is right",
	},
	{
		"the delete of an object arrives again after its repair",
		model{rot: rot{spoiled: object(1, 1)}, lasting: true, cast: []player{twice(repairs(1))}},
		"a repair deletes {b-1}, which is right",
	},
	{
		"a repair deletes the manifest that another has restored",
		model{rot: rot{manifest: 2}, lasting: true, cast: []player{repairs(1), repairs(1)}},
		"a repair deletes manifest 2, which is right",
	},
	{
		"the delete of a manifest arrives again after its repair",
		model{rot: rot{manifest: 2}, lasting: true, cast: []player{twice(repairs(1))}},
		"a repair deletes manifest 2, which is right",
	},
	{
		"what was reported repaired stays missing when all have ended",
		model{rot: rot{spoiled: object(1, 1)}, settled: true, cast: []player{twice(repairs(1))}},
		"all repairs have ended, and {b-1} is not what was stored",
	},
}

// TestLateDeletes expects a counterexample for each fault if the store ignores the condition, and
// none if it does not. With -v it prints the steps.
func TestLateDeletes(t *testing.T) {
	for _, tt := range lateDeletes {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := tt.model
			m.rules, m.history, m.sequences, m.records = protocol(), past, 4, 4
			if r := explore(&m, 0); r.problem != "" {
				t.Error("\n" + r.text())
			}
			m.rules.deletesWhatWasRead = false
			r := explore(&m, 0)
			t.Log("\n" + r.text())
			if !strings.Contains(r.problem, tt.want) {
				t.Errorf("a store that ignores the condition: found %q, want %q", r.problem, tt.want)
			}
		})
	}
}
