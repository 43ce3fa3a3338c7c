package protocol

import (
	"slices"
	"strings"
	"testing"
)

// Two snapshots: {a b}, then {b} alone. A backup that archives a again has to store it again.
var past = []objects{object(0, 1) | object(1, 1), object(1, 1)}

// longer has one more. late is a backup that planned the second when there was one.
var (
	longer = append(past[:2:2], object(0, 3)|object(1, 1))
	late   = player{job: backup, runs: 1, late: 2}
)

// A mutation switches one rule off, in a model that is large enough to show what the rule is for.
type mutation struct {
	name  string
	off   func(*rules)
	model model
	want  string // what the checker finds
}

func backups(n int) player { return player{job: backup, runs: n} }
func prunes(n int) player  { return player{job: prune, runs: n} }
func holds(n int) player   { return player{job: hold, runs: n} }
func copies(n int) player  { return player{job: copier, runs: n} }
func lists(n int) player   { return player{job: list, runs: n} }
func repairs(n int) player { return player{job: repair, runs: n} }
func vandals(n int) player { return player{job: vandal, runs: n} }

// Each of these rules is format.md's.
var ruleMutations = []mutation{
	{
		"objects without numbers", func(r *rules) { r.numbersInKeys = false },
		model{cast: []player{backups(1), prunes(1)}},
		"which it names, is missing",
	},
	{
		"manifests and records are overwritten", func(r *rules) { r.createOnly = false },
		model{cast: []player{backups(1), backups(1)}},
		"has gone or changed",
	},
	{
		"a backup keeps what older snapshots name", func(r *rules) { r.reuseNewestOnly = false },
		model{cast: []player{backups(1), prunes(1)}},
		"which it names, is missing",
	},
	{
		"a backup that lost its number takes the next", func(r *rules) { r.replan = false },
		model{cast: []player{backups(1), backups(1), prunes(1)}},
		"which it names, is missing",
	},
	{
		"a backup does not read the ledger after its commit", func(r *rules) { r.checkCommit = false },
		model{history: longer, cast: []player{late, prunes(1)}},
		"it reports a snapshot that was invalid from the beginning",
	},
	{
		"a prune may drop the newest", func(r *rules) { r.newestKept = false },
		model{endless: true, cast: []player{backups(1), prunes(1)}},
		"which it names, is missing",
	},
	{
		"a prune deletes what is in the making", func(r *rules) { r.sparesHigher = false },
		model{cast: []player{backups(1), prunes(1)}},
		"which it names, is missing",
	},
	{
		"a prune deletes before its record is written", func(r *rules) { r.recordFirst = false },
		model{cast: []player{prunes(1)}},
		"and no record dropped it",
	},
	{
		"the loser of a record's number takes the next", func(r *rules) { r.replanRecord = false },
		model{cast: []player{prunes(1), holds(1)}},
		"the ledger keeps manifest 1, which it had dropped",
	},
	{
		"no actor checks whether its record is in force", func(r *rules) { r.checkRecord = false },
		model{cast: []player{prunes(1), prunes(1), holds(1)}},
		"is reported held, and is not",
	},
}

// These rules come from the package comment, which is more exact than format.md was.
var exactMutations = []mutation{
	{
		// Keeping only from a base just below the aim would be enough: this backup would store
		// everything again.
		"a backup reads the ledger after the manifests", func(r *rules) { r.ledgerBefore, r.reuseBelowOnly = false, false },
		model{cast: []player{backups(1), backups(1), prunes(2)}},
		"which it names, is missing",
	},
	{
		"a record is taken for the greatest although it was listed before", func(r *rules) { r.recordReread = false },
		model{splitLedger: true, records: 2, history: longer, cast: []player{late, prunes(1), prunes(2)}},
		"it reports a snapshot that was invalid from the beginning",
	},
	{
		"what is shown is judged by an older ledger", func(r *rules) { r.ledgerAfter = false },
		model{history: longer, cast: []player{late, prunes(1), lists(1)}},
		"it shows a manifest that was invalid from the beginning",
	},
	{
		"an idle backup trusts an older ledger", func(r *rules) { r.ledgerAfter = false },
		model{history: longer[:2], idle: true, splitManifests: true, cast: []player{late, backups(1), prunes(1), backups(1)}},
		"it reports a snapshot that was invalid from the beginning",
	},
	{
		"a copy judges by an older ledger", func(r *rules) { r.copyJudgesAfter = false },
		model{history: longer, copied: 1, cast: []player{late, prunes(1), copies(1)}},
		"a manifest that was invalid in the source becomes a snapshot of the copy",
	},
	{
		"a copy does not read the target's ledger after its commit", func(r *rules) { r.copyChecks = false },
		model{cast: []player{copies(1), copies(1), {job: prune, runs: 1, store: 1}}},
		"it reports a snapshot that was invalid from the beginning",
	},
	{
		"a repair deletes the newest manifest before the ledger names it", func(r *rules) { r.namesFirst = false },
		model{rot: rot{manifest: 2}, cast: []player{repairs(1), backups(1)}},
		"manifest 2 is not what it was",
	},
	{
		"another takes the number of a manifest that a repair deleted", func(r *rules) { r.namesFirst = false },
		model{endless: true, rot: rot{manifest: 2}, cast: []player{repairs(1), backups(1)}},
		"another's manifest counts as snapshot 2",
	},
	{
		"a prune deletes although it cannot read a kept manifest", func(r *rules) { r.readsAllKept = false },
		model{rot: rot{manifest: 2}, cast: []player{repairs(1), prunes(1)}},
		"which it names, is missing",
	},
	{
		"a hold drops the manifest that it cannot read", func(r *rules) { r.needsHash = false },
		model{rot: rot{manifest: 2}, history: longer, cast: []player{holds(1)}},
		"a hold drops snapshot 2",
	},
	{
		"a repair names a manifest that the ledger has dropped", func(r *rules) { r.namesOnlyValid = false },
		model{rot: rot{manifest: 2}, cast: []player{repairs(1), repairs(1), backups(1), prunes(1)}, joined: true},
		"the ledger keeps manifest 2, which it had dropped",
	},
	{
		"the local state has a snapshot that the bucket has lost", func(r *rules) { r.reuseBelowOnly = false },
		model{cast: []player{{job: backup, runs: 1, witnessed: 3}, backups(1), prunes(1)}},
		"which it names, is missing",
	},
	{
		"a backup cannot read the newest manifest, a prune can", func(r *rules) { r.reuseBelowOnly = false },
		model{cast: []player{{job: backup, runs: 1, blind: true}, prunes(1)}},
		"which it names, is missing",
	},
}

// These rules are needed against an attacker who creates one object.
var vandalMutations = []mutation{
	{
		"a manifest far above all others counts", func(r *rules) { r.farIsNothing = false },
		model{sequences: 5, history: past[:1], cast: []player{vandals(1), prunes(1)}},
		"the last backup",
	},
	{
		"a prune goes on although it cannot read the next record", func(r *rules) { r.doubtRefuses = false },
		model{history: past[:1], cast: []player{vandals(1), prunes(1)}},
		"does not come to an end",
	},
}

// TestMutations switches off one rule at a time, and the checker must find the fault that results.
// So the model can fail, and each rule is needed. With -v it prints the steps.
func TestMutations(t *testing.T) {
	t.Parallel()
	for _, tt := range slices.Concat(ruleMutations, exactMutations, vandalMutations) {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := tt.model
			m.rules = protocol()
			tt.off(&m.rules)
			if m.history == nil {
				m.history = past
			}
			if m.sequences == 0 {
				m.sequences = 4
			}
			if m.records == 0 {
				m.records = 4
			}
			r := explore(&m, 0)
			t.Log(r)
			if r.problem == "" {
				t.Fatal("the checker finds nothing")
			}
			t.Log("\n" + r.text())
			if !strings.Contains(r.problem, tt.want) {
				t.Errorf("found %q, want %q", r.problem, tt.want)
			}
		})
	}
}
