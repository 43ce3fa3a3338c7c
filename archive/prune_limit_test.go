package archive_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
)

// more makes snapshots although nothing has changed.
func (h *pruned) more(n int) {
	h.t.Helper()
	o := options
	o.Force = true
	a := h.archive()
	for range n {
		if _, err := a.Backup(h.t.Context(), h.db.source(), o); err != nil {
			h.t.Fatal(err)
		}
	}
}

// scheduled is a prune as the service makes it.
func scheduled(last int, confirmed ...archive.Confirmation) archive.PruneOptions {
	return archive.PruneOptions{
		Retention: &retention.Policy{Last: last}, Limit: retention.DefaultLimit(), FirstRecord: true,
		Acceptance: archive.Acceptance{Confirmed: confirmed},
	}
}

// refused is the refusal of a prune that has to change nothing.
func (h *pruned) refused(o archive.PruneOptions) *archive.Refusal {
	h.t.Helper()
	before := keys(h.store)
	report, err := h.archive().Prune(h.t.Context(), o)
	var r *archive.Refusal
	if !errors.Is(err, archive.ErrPruneLimit) || !errors.As(err, &r) || r.Guard != manifest.GuardPrune {
		h.t.Fatalf("it was not refused: %+v, %v", report, err)
	}
	if len(report.Removed) > 0 || !slices.Equal(before, keys(h.store)) {
		h.t.Fatalf("a refused prune changed something: %+v", report)
	}
	if c, err := archive.ParseConfirmation(r.Confirmation.String()); err != nil || c != r.Confirmation {
		h.t.Fatalf("%s cannot be read: %v", r.Confirmation, err)
	}
	return r
}

func (h *pruned) snapshots() (all []int64) {
	h.t.Helper()
	for _, s := range mustList(h.t, h.archive()) {
		all = append(all, s.Sequence)
	}
	return all
}

// record is the newest record of the ledger.
func (h *pruned) record() *manifest.Record {
	h.t.Helper()
	all := h.store.Keys(manifest.LedgerPrefix)
	key := all[len(all)-1]
	n, _ := manifest.ParseLedgerKey(key)
	r, err := manifest.DecodeRecord(h.store.Snapshot().Bytes(key), n)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func numbersTo(first, last int64) (all []int64) {
	for n := first; n <= last; n++ {
		all = append(all, n)
	}
	return all
}

// A retention that is put on a long history may be a slip of the finger: the first prune on
// schedule stops, removes nothing, and reports what it would remove. By hand it goes on.
func TestFirstPruneOfALongHistoryStops(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	h.more(12)
	r := h.refused(scheduled(2))
	for _, want := range []string{"11 of the 13 snapshots", "never pruned", "(1 to 11)", "at most 10", "it would keep 2 (last: 2, newest: 1, newest good: 1)"} {
		if !strings.Contains(r.Error(), want) {
			t.Errorf("%q is not in %q", want, r)
		}
	}
	if len(h.store.Keys(manifest.LedgerPrefix)) > 0 {
		t.Error("it wrote a record")
	}
	h.prune(scheduled(3)) // ten
	if got := h.snapshots(); !slices.Equal(got, []int64{11, 12, 13}) {
		t.Errorf("kept %d", got)
	}

	h = newPruned(t, 1)
	h.more(12)
	h.keepLast(1)
	if got := h.snapshots(); !slices.Equal(got, []int64{13}) {
		t.Errorf("by hand, kept %d", got)
	}
}

// A retention that is there from the start never stops, however many snapshots come between two
// prunes: later arrivals do not count, nor do snapshots that they push out of a rule.
func TestRetentionFromTheStartNeverStops(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	if r := h.prune(scheduled(12)); r.Record != 1 || len(r.Removed) > 0 {
		t.Fatalf("%+v", r)
	}
	next := int64(1)
	for range 3 {
		h.more(40)
		next += 40
		r := h.prune(scheduled(12))
		if len(r.Removed) < 29 {
			t.Fatalf("%+v", r)
		}
		if got := h.snapshots(); !slices.Equal(got, numbersTo(next-11, next)) {
			t.Fatalf("kept %d", got)
		}
		if got := h.record().Accepted; got != nil {
			t.Errorf("accepted: %q", got)
		}
	}
}

// The limit counts the snapshots that the last prune kept: a quarter of them may be removed, and
// ten at the least.
func TestPruneLimitArithmetic(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		limit       retention.Limit
		kept, least int // the smallest retention that is not refused
	}{
		{retention.DefaultLimit(), 44, 33},
		{retention.DefaultLimit(), 20, 10},
		{retention.Limit{Least: 3}, 20, 17},
		{retention.Limit{Percent: 50, Least: 1}, 21, 10},
		{retention.Limit{}, 20, 1},
	} {
		t.Run(fmt.Sprintf("%+v of %d", test.limit, test.kept), func(t *testing.T) {
			t.Parallel()
			h := newPruned(t, 1)
			h.more(test.kept - 1)
			o := scheduled(test.kept)
			o.Limit = test.limit
			h.prune(o)
			h.more(1) // takes one place in the course of time
			if test.least > 1 {
				o.Retention = &retention.Policy{Last: test.least - 1}
				if r := h.refused(o); !strings.Contains(r.Error(), fmt.Sprintf("of the %d snapshots that the last prune kept", test.kept)) {
					t.Error(r)
				}
			}
			o.Retention = &retention.Policy{Last: test.least}
			if got := h.prune(o).Removed; len(got) != test.kept+1-test.least {
				t.Errorf("removed %d", got)
			}
		})
	}
}

// A confirmation makes the prune remove exactly the snapshots for which it was refused, whatever
// was added since. The added snapshots stay, and do not count against the limit of the next prune.
// The confirmation is used up.
func TestConfirmedPrune(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	h.more(29)
	r := h.refused(scheduled(5))
	h.more(20)
	if again := h.refused(scheduled(5)); again.Confirmation == r.Confirmation {
		t.Fatal("the plan has changed, and its name has not")
	}
	report := h.prune(scheduled(5, archive.Confirmation{Guard: manifest.GuardRollback, Plan: r.Plan}, r.Confirmation))
	if !slices.Equal(report.Removed, numbersTo(1, 25)) || report.Newest != 30 {
		t.Fatalf("%+v", report)
	}
	if got := h.snapshots(); !slices.Equal(got, numbersTo(26, 50)) {
		t.Fatalf("kept %d", got)
	}
	if rec := h.record(); !slices.Equal(rec.Accepted, []manifest.Guard{manifest.GuardPrune}) || rec.Newest != 30 || len(rec.Kept) != 5 {
		t.Fatalf("%+v", rec)
	}
	mustVerify(t, h.archive())

	h.prune(scheduled(5, r.Confirmation)) // goes on as ever: arrivals took the places
	if got := h.snapshots(); !slices.Equal(got, numbersTo(46, 50)) {
		t.Fatalf("kept %d", got)
	}
	if got := h.record().Accepted; got != nil {
		t.Errorf("a prune without a refusal accepted %q", got)
	}
	h.more(15)
	h.prune(scheduled(20))
	if again := h.refused(scheduled(5, r.Confirmation)); again.Confirmation == r.Confirmation {
		t.Error("a confirmation was valid twice")
	}
}

// While an operator reads the list of removals, snapshots keep coming. The repeated refusal stays
// the same, or the operator's confirmation would always be out of date.
func TestRefusalIsRepeated(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	h.more(29)
	first := h.refused(scheduled(5))
	h.more(20)
	o := scheduled(5)
	o.Waiting = []archive.Confirmation{{Guard: manifest.GuardPrune, Plan: "0-7-0123456789abcdef"}, first.Confirmation}
	if again := h.refused(o); again.Confirmation != first.Confirmation || again.Error() != first.Error() {
		t.Errorf("first %s, then %s: %v", first.Confirmation, again.Confirmation, again)
	}
	o.Retention = &retention.Policy{Last: 6}
	if again := h.refused(o); again.Confirmation == first.Confirmation {
		t.Error("another plan is refused by the same name")
	}
	if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 30}, ""); err != nil {
		t.Fatal(err)
	}
	o.Retention = &retention.Policy{Last: 5}
	if again := h.refused(o); again.Confirmation == first.Confirmation {
		t.Error("the ledger has changed, and the plan has the same name")
	}
}

// A confirmation is of one plan. After any ledger record, with another retention, or made up, it is
// invalid, and nothing is removed by it.
func TestVoidConfirmations(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	h.more(29)
	r := h.refused(scheduled(5))
	h.refused(scheduled(4, r.Confirmation))
	h.refused(scheduled(6, r.Confirmation))
	number, _, _ := strings.Cut(r.Plan, "-")
	for _, plan := range []string{number, number + "-30", number + "-30-0123456789abcdef", number + "-29" + r.Plan[4:], "1" + r.Plan[1:], "x"} {
		h.refused(scheduled(5, archive.Confirmation{Guard: manifest.GuardPrune, Plan: plan}))
	}
	if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 29}, "the audit"); err != nil {
		t.Fatal(err)
	}
	after := h.refused(scheduled(5, r.Confirmation))
	if _, err := h.archive().Release(t.Context(), archive.Selector{Sequence: 29}); err != nil {
		t.Fatal(err)
	}
	h.refused(scheduled(5, r.Confirmation, after.Confirmation))
	if got := h.snapshots(); !slices.Equal(got, numbersTo(1, 30)) {
		t.Fatalf("kept %d", got)
	}
}

// Two archives with the same numbers, such as the destinations of one source, must not take
// each other's confirmations.
func TestConfirmationIsOfOneArchive(t *testing.T) {
	t.Parallel()
	one, other := newPruned(t, 1), newPruned(t, 1)
	one.more(14)
	other.more(14)
	other.refused(scheduled(2, one.refused(scheduled(2)).Confirmation))
}

// Accepted for a run, the guard stops nothing, and the record has that.
func TestPruneAcceptedForOneRun(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	h.more(19)
	o := scheduled(1)
	o.Accept = []manifest.Guard{manifest.GuardPrune}
	if r := h.prune(o); len(r.Removed) != 19 || !slices.Equal(h.record().Accepted, o.Accept) {
		t.Fatalf("%+v", r)
	}
}

// A hold writes a record that keeps all there is. That is no judgement of a retention: the
// next prune may remove the thousands that came before the hold.
func TestHoldsDoNotCountAsPrunes(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	h.prune(scheduled(2))
	h.more(30)
	for _, n := range []int64{7, 8} {
		if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: n}, ""); err != nil {
			t.Fatal(err)
		}
	}
	h.prune(scheduled(2))
	if got := h.snapshots(); !slices.Equal(got, []int64{7, 8, 30, 31}) {
		t.Fatalf("kept %d", got)
	}
}

// If only holds have written records, a scheduled prune that removes nothing writes one all the
// same, and only once. From then on it never stops.
func TestFirstRecordAfterHolds(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 2)
	if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 1}, ""); err != nil {
		t.Fatal(err)
	}
	dry := scheduled(2)
	dry.DryRun = true
	if r := h.prune(dry); r.Record != 0 {
		t.Fatalf("a dry run would write no record: %+v", r)
	}
	if r := h.prune(archive.PruneOptions{Retention: &retention.Policy{Last: 2}}); r.Record != 1 {
		t.Fatalf("by hand: %+v", r)
	}
	for range 2 {
		if r := h.prune(scheduled(2)); r.Record != 2 || len(r.Removed) > 0 {
			t.Fatalf("%+v", r)
		}
	}
	if rec := h.record(); rec.Why != "prune" || len(rec.Removed) > 0 || rec.Kept[0].Held == "" {
		t.Fatalf("%+v", rec)
	}
	h.more(30)
	h.prune(scheduled(2))
}

// A prune with nothing to change uses the record of a hold, and deletes the records before it. The
// next prune then uses that record.
func TestPruneByTheRecordOfAHold(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	h.prune(scheduled(2))
	h.more(1)
	if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 1}, ""); err != nil {
		t.Fatal(err)
	}
	if r := h.prune(scheduled(2)); r.Record != 2 || len(h.store.Keys(manifest.LedgerPrefix)) != 1 {
		t.Fatalf("%+v", r)
	}
	h.more(30)
	h.prune(scheduled(2))
	if got := h.snapshots(); !slices.Equal(got, []int64{1, 31, 32}) {
		t.Fatalf("kept %d", got)
	}
}

// A dry run shows what a scheduled prune would refuse, with the confirmation that it takes.
func TestDryRunShowsTheRefusal(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	h.more(19)
	o := scheduled(2)
	o.DryRun = true
	r := h.prune(o)
	if r.Refused == nil || len(r.Removed) != 18 || r.Refused.Confirmation != h.refused(scheduled(2)).Confirmation {
		t.Fatalf("%+v", r)
	}
	o.Retention = &retention.Policy{Last: 10}
	if r := h.prune(o); r.Refused != nil {
		t.Fatal(r.Refused)
	}
}

// While a prune is refused, backups go on, and each of their snapshots is whole.
func TestBackupsGoOnBesideARefusedPrune(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	h.more(19)
	for range 3 {
		h.refused(scheduled(1))
		n := h.next()
		mustRestore(t, h.archive(), n, t.TempDir()+"/r", h.want[n])
	}
	mustVerify(t, h.archive())
}
