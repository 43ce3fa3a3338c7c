package archive_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Every choice of manifests is gone or cut, with and without a ledger, a backup that goes on from
// the rest, and a second backup. A copy has all of them, so one repair must restore all of them:
// the right bytes of one manifest may be the only thing that names another.
func TestRepairOfEveryChoiceOfManifests(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	const made = 4
	choices, step := 1, 4 // no multiple of 3, so that each manifest is in every state
	if brief() {
		step = 13
	}
	for range made {
		choices *= 3 // each is right, gone or cut
	}
	for recorded := range int64(3) { // how many manifests the ledger names
		for backups := range 3 {
			for choice := range choices {
				if choice%step != (int(recorded)+backups)%step {
					continue
				}
				virtually(t, func(t *testing.T) { repairChosen(t, made, recorded, choice, backups) })
				if t.Failed() {
					t.Fatalf("choice %d, %d in the ledger, %d backups afterwards", choice, recorded, backups)
				}
			}
		}
	}
}

// repairChosen damages the manifests of one choice; its digits to the base 3 give the fate of each.
func repairChosen(t *testing.T, made, recorded int64, choice, backups int) {
	h := newPruned(t, 0)
	for n := int64(1); n <= made; n++ {
		h.next()
		if n == recorded {
			h.keepLast(9)
		}
	}
	whole := h.store.Clone()
	var all []int64
	lost := ""
	for n := int64(1); n <= made; n, choice = n+1, choice/3 {
		key := manifest.ManifestKey(n)
		all = append(all, n)
		switch {
		case choice%3 == 1 && n == made: // nothing shows that there was a newest
		case choice%3 == 1:
			h.store.Remove(key)
			lost += fmt.Sprintf(" %d is gone", n)
		case choice%3 == 2:
			h.store.Damage(key, func(b []byte) []byte { return b[:len(b)/2] })
			lost += fmt.Sprintf(" %d is cut", n)
		}
	}
	for range backups {
		all = append(all, h.next())
	}
	if r := mustRepair(t, h.store, from(whole)); len(r.Problems) > 0 || lost != "" && len(r.Repaired) == 0 {
		t.Fatalf("%s: %+v", lost, r)
	}
	for n := int64(1); n <= made; n++ {
		key := manifest.ManifestKey(n)
		if !bytes.Equal(h.store.Snapshot().Bytes(key), whole.Snapshot().Bytes(key)) {
			t.Fatalf("%s: %s is not what it was", lost, key)
		}
	}
	if r := mustRepair(t, h.store, &archive.RepairFrom{}); len(r.Problems)+len(r.Repaired) > 0 {
		t.Fatalf("%s: a second repair: %+v", lost, r)
	}
	h.keepLast(9)
	h.sound(all...)
}
