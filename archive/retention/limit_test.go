package retention_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strongroom-dev/strongroom/archive/retention"
)

func TestLimitOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		limit   retention.Limit
		kept    int
		most    int
		limited bool
	}{
		{retention.DefaultLimit(), 0, 10, true},
		{retention.DefaultLimit(), 40, 10, true},
		{retention.DefaultLimit(), 41, 11, true},
		{retention.DefaultLimit(), 100, 25, true},
		{retention.Limit{Least: 3}, 1000, 3, true},
		{retention.Limit{Percent: 100, Least: 10}, 70, 70, true},
		{retention.Limit{}, 70, 0, false},
	} {
		if most, limited := test.limit.Of(test.kept); most != test.most || limited != test.limited {
			t.Errorf("%+v of %d: %d, %v", test.limit, test.kept, most, limited)
		}
	}
}

// everyFewSeconds are snapshots at equal distances, numbered on from the last of before.
func everyFewSeconds(before []retention.Snapshot, at time.Time, step time.Duration, n int) []retention.Snapshot {
	next := int64(1)
	if len(before) > 0 {
		next = before[len(before)-1].Sequence + 1
	}
	all := slices.Clone(before)
	for i := range n {
		all = append(all, retention.Snapshot{Sequence: next + int64(i), Created: at.Add(time.Duration(i) * step)})
	}
	return all
}

func among(all []retention.Snapshot) func(int64) bool {
	set := map[int64]bool{}
	for _, s := range all {
		set[s.Sequence] = true
	}
	return func(n int64) bool { return set[n] }
}

func lost(t rapid.TB, p retention.Policy, all []retention.Snapshot, kept func(int64) bool) []int64 {
	t.Helper()
	n, err := p.Lost(all, kept)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A snapshot every ten seconds, pruned daily for a year, never loses one that the prune
// before kept, although each prune removes thousands: else an operator would be called daily.
func TestSteadySchedulesLoseNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		policy retention.Policy
		step   time.Duration
		prunes int
	}{
		"every ten seconds": {retention.Policy{Last: 10, Daily: 14}, 10 * time.Second, 5},
		"every 15 minutes":  {retention.Policy{Last: 96, Hourly: 24, Daily: 14, Weekly: 8, Monthly: 12, Within: 48 * time.Hour}, 15 * time.Minute, 365},
		"hourly":            {retention.Policy{Last: 500, Yearly: 2}, time.Hour, 60},
		"daily":             {retention.Policy{Daily: 14, Monthly: 12}, 24 * time.Hour, 365},
		"the last only":     {retention.Policy{Last: 1}, time.Minute, 30},
		"within a day":      {retention.Policy{Within: 20 * time.Hour}, time.Hour, 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			each := int(24 * time.Hour / test.step)
			var kept []retention.Snapshot
			removed := 0
			for day := range test.prunes {
				all := everyFewSeconds(kept, at.AddDate(0, 0, day), test.step, each)
				if day%7 == 3 && each > 1 {
					all[len(all)-1].Hollow = "no files"
				}
				if n := lost(t, test.policy, all, among(kept)); len(kept) > 0 && len(n) > 0 {
					t.Fatalf("on day %d snapshots %d count as lost", day, n)
				}
				kept = keptOf(apply(t, test.policy, all))
				removed += len(all) - len(kept)
			}
			if removed < test.prunes-30 {
				t.Fatalf("the prunes removed only %d snapshots", removed)
			}
		})
	}
}

// With times that never run backwards and one policy, nothing is ever lost, whatever is wrong
// with single snapshots.
func TestCourseOfTimeLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := drawRandom(t)
		p, all := randomPolicy(rng), steadyHistory(rng)
		if len(all) == 0 {
			return
		}
		until := rng.IntN(len(all))
		kept := keptOf(apply(t, p, all[:until]))
		if n := lost(t, p, append(slices.Clone(kept), all[until:]...), among(kept)); len(n) > 0 {
			t.Fatalf("%+v keeps %v of %v, and then loses %d", p, kept, all, n)
		}
	})
}

// Every snapshot that counts as lost was kept and is removed; with nothing new, these are all the
// removed ones.
func TestLostIsRemoved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := drawRandom(t)
		p, all := randomPolicy(rng), randomHistory(rng)
		verdicts := apply(t, p, all)
		removed := slices.DeleteFunc(verdicts, func(v retention.Verdict) bool { return v.Keep })
		some := func(n int64) bool { return n%3 > 0 }
		for _, n := range lost(t, p, all, some) {
			if !some(n) || !slices.ContainsFunc(removed, func(v retention.Verdict) bool { return v.Sequence == n }) {
				t.Fatalf("snapshot %d counts as lost", n)
			}
		}
		if n := lost(t, p, all, func(int64) bool { return true }); len(n) != len(removed) {
			t.Fatalf("%d snapshots are removed, all of them kept before, and %d count as lost", len(removed), len(n))
		}
	})
}

// A stricter policy counts in full, also when enough came since to take every place.
func TestStricterPolicyLoses(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	kept := everyFewSeconds(nil, at, time.Hour, 60)
	all := everyFewSeconds(kept, at.Add(60*time.Hour), time.Hour, 100)
	if n := lost(t, retention.Policy{Last: 60}, all, among(kept)); len(n) > 0 {
		t.Errorf("with the same policy %d are lost", len(n))
	}
	if n := lost(t, retention.Policy{Last: 20}, all, among(kept)); len(n) != 40 {
		t.Errorf("of 60 snapshots, 20 are kept now, and %d are lost", len(n))
	}
}

// Snapshots that claim to be of days long past take the places of the true ones of these
// days. No course of time does that.
func TestForgedTimesLose(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	kept := everyFewSeconds(nil, at, 24*time.Hour, 14)
	all := everyFewSeconds(kept, at.Add(time.Hour), 24*time.Hour, 14)
	if n := lost(t, retention.Policy{Daily: 14}, all, among(kept)); len(n) != 13 {
		t.Errorf("lost: %d", n) // the fourteenth came after the last true one
	}
}
