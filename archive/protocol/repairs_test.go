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
	conditional int // the number of states with conditional deletes; 0 skips those
}

var repairScenarios = []repairScenario{
	{conditional: 6_796, scenario: scenario{
		states: 7_504,
		name:   "two repairs of an object",
		model: model{
			history: past, rot: rot{spoiled: object(1, 1)}, sequences: 4, records: 3, settled: true,
			cast: []player{repairs(1), repairs(1), backups(1), prunes(1)},
		},
	}},
	{conditional: 88_258, scenario: scenario{
		states: 99_960,
		name:   "two repairs of the newest manifest",
		model: model{
			history: past, rot: rot{manifest: 2}, sequences: 4, records: 4, settled: true,
			cast: []player{repairs(1), repairs(1), backups(1), prunes(1)},
		},
	}},
	{conditional: 147_602, scenario: scenario{
		states: 206_888, long: true,
		name: "repairs of objects crash, and deletes arrive twice",
		model: model{
			joined: true, history: past, rot: rot{spoiled: object(0, 1), gone: object(1, 1)}, sequences: 4, records: 3,
			cast: []player{twice(unlucky(repairs(1))), twice(repairs(1)), backups(1), prunes(1)},
		},
	}},
	{conditional: 218_680, scenario: scenario{
		states: 341_001, long: true,
		name: "repairs of a manifest crash, and deletes arrive twice",
		model: model{
			joined: true, history: past, rot: rot{manifest: 2}, sequences: 4, records: 4,
			cast: []player{twice(unlucky(repairs(1))), twice(repairs(1)), backups(1), prunes(1)},
		},
	}},
	{conditional: 94_014, scenario: scenario{
		states: 151_279, long: true,
		name: "a late manifest takes the number of one that is repaired",
		model: model{
			history: past, rot: rot{manifest: 2}, sequences: 4, records: 4, splitManifests: true, splitDeletes: true,
			cast: []player{late, twice(repairs(1)), prunes(1), lists(1)},
		},
	}},
	{conditional: 309_391, scenario: scenario{
		states: 740_031, long: true,
		name: "a repair, a copy",
		model: model{
			joined: true, history: longer, copied: 1, rot: rot{manifest: 3, spoiled: object(0, 3)}, sequences: 4, records: 4,
			cast: []player{twice(repairs(1)), copies(1), backups(1), prunes(1)},
		},
	}},
	{scenario: scenario{
		states: 525_454, long: true,
		name: "a prune's deletes arrive twice beside a repair",
		model: model{
			joined: true, history: longer, rot: rot{spoiled: object(0, 1)}, sequences: 5, records: 5,
			lasting: true, settled: true,
			cast: []player{repairs(1), backups(1), twice(prunes(2)), holds(1)},
		},
	}},
}

// TestRepairs goes through every state of each scenario twice: with deletes as they are today, and
// with deletes that remove only the content that was read. With those, no repair may delete a right
// object; today, the repairs that go on restore it.
func TestRepairs(t *testing.T) {
	if soaktest.Racing {
		t.Skip("nothing is shared, and the race detector makes it ten times slower: run without -race")
	}
	for _, tt := range repairScenarios {
		t.Run(tt.name, func(t *testing.T) { tt.visit(t) })
		if tt.conditional == 0 {
			continue
		}
		t.Run(tt.name+", by conditional deletes", func(t *testing.T) {
			tt.model.rules.deletesWhatWasRead, tt.model.lasting, tt.model.settled = true, true, true
			tt.states = tt.conditional
			tt.visit(t)
		})
	}
}

// These are the known weaknesses of a delete without a condition.
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

// TestLateDeletes expects a counterexample for each weakness with the delete as it is today, and
// none with a delete that removes only the content that was read. With -v it prints the steps.
func TestLateDeletes(t *testing.T) {
	for _, tt := range lateDeletes {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := tt.model
			m.rules, m.history, m.sequences, m.records = protocol(), past, 4, 4
			r := explore(&m, 0)
			t.Log("\n" + r.text())
			if !strings.Contains(r.problem, tt.want) {
				t.Errorf("found %q, want %q", r.problem, tt.want)
			}
			m.rules.deletesWhatWasRead = true
			if r := explore(&m, 0); r.problem != "" {
				t.Error("with a conditional delete:\n" + r.text())
			}
		})
	}
}
