package retention_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strongroom-dev/strongroom/archive/retention"
)

func drawRandom(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 6))
}

func apply(t rapid.TB, p retention.Policy, all []retention.Snapshot) []retention.Verdict {
	t.Helper()
	verdicts, err := p.Apply(all)
	if err != nil {
		t.Fatal(err)
	}
	return verdicts
}

func keptOf(verdicts []retention.Verdict) []retention.Snapshot {
	var kept []retention.Snapshot
	for _, v := range verdicts {
		if v.Keep {
			kept = append(kept, v.Snapshot)
		}
	}
	return kept
}

func TestEachVerdict(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := drawRandom(t)
		p, all := randomPolicy(rng), randomHistory(rng)
		before := slices.Clone(all)
		verdicts := apply(t, p, all)
		if !slices.Equal(all, before) {
			t.Fatal("the snapshots given were changed")
		}
		for i, v := range verdicts {
			if i > 0 && verdicts[i-1].Sequence >= v.Sequence {
				t.Fatalf("verdict on %d before that on %d", verdicts[i-1].Sequence, v.Sequence)
			}
			if v.Keep != (len(v.Why) > 0) {
				t.Fatalf("snapshot %d: keep is %v, for the reasons %v", v.Sequence, v.Keep, v.Why)
			}
			if !v.Keep && (v.Unreadable || v.Held != "" || i == len(verdicts)-1) {
				t.Fatalf("removed: %+v", v.Snapshot)
			}
		}
	})
}

func TestGoodIsKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := drawRandom(t)
		p, all := randomPolicy(rng), randomHistory(rng)
		if slices.ContainsFunc(all, retention.Snapshot.Good) && !slices.ContainsFunc(keptOf(apply(t, p, all)), retention.Snapshot.Good) {
			t.Fatal("no good snapshot is left")
		}
		// Snapshots that are not good take no place from those that are.
		var good []retention.Snapshot
		for _, s := range all {
			if s.Good() {
				good = append(good, s)
			}
		}
		p.Within = 0 // depends on the newest of any kind
		if p.Validate() != nil {
			return
		}
		kept := keptOf(apply(t, p, all))
		for _, s := range keptOf(apply(t, p, good)) {
			if !slices.Contains(kept, s) {
				t.Fatalf("snapshot %d is removed because of snapshots that are not good", s.Sequence)
			}
		}
	})
}

// However many hollow snapshots an attacker adds, the same others are kept, and no hollow one
// is removed that is not older than all of them: it may be the true state of that time.
func TestHollowFillsNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := drawRandom(t)
		p, all := randomPolicy(rng), randomHistory(rng)
		counted := slices.DeleteFunc(slices.Clone(all), func(s retention.Snapshot) bool { return s.Hollow != "" && !s.Unreadable && s.Held == "" })
		want := keptOf(apply(t, p, counted))
		var got []retention.Snapshot
		for _, v := range apply(t, p, all) {
			hollow := v.Hollow != "" && !v.Unreadable && v.Held == ""
			switch {
			case hollow && v.Keep != (len(want) == 0 || v.Sequence > want[0].Sequence):
				t.Fatalf("hollow snapshot %d is kept: %v; the others that are: %v", v.Sequence, v.Keep, want)
			case !hollow && v.Keep:
				got = append(got, v.Snapshot)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("kept %v, and without hollow ones %v", got, want)
		}
	})
}

func TestTwiceIsOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := drawRandom(t)
		p := randomPolicy(rng)
		kept := keptOf(apply(t, p, randomHistory(rng)))
		if again := keptOf(apply(t, p, kept)); !slices.Equal(again, kept) {
			t.Fatalf("kept %v, then of these %v", kept, again)
		}
	})
}

func TestLooserKeepsMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := drawRandom(t)
		p, all := randomPolicy(rng), randomHistory(rng)
		looser := p
		for _, n := range []*int{&looser.Last, &looser.Hourly, &looser.Daily, &looser.Weekly, &looser.Monthly, &looser.Yearly} {
			*n += rng.IntN(3)
		}
		looser.Within += time.Duration(rng.IntN(48)) * time.Hour
		kept := keptOf(apply(t, looser, all))
		for _, s := range keptOf(apply(t, p, all)) {
			if !slices.Contains(kept, s) {
				t.Fatalf("%+v keeps snapshot %d, the looser %+v does not", p, s.Sequence, looser)
			}
		}
	})
}

func TestNewerBringsNoneBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := drawRandom(t)
		p, all := randomPolicy(rng), randomHistory(rng)
		if len(all) == 0 {
			return
		}
		slices.SortFunc(all, func(a, b retention.Snapshot) int { return int(a.Sequence - b.Sequence) })
		older, newer := all[:len(all)-1], all[len(all)-1]
		if i := lastCounted(older); i >= 0 && isCounted(newer) && newer.Created.Before(older[i].Created) {
			p.Within = 0 // the exception that the package comment makes
			if p.Validate() != nil {
				return
			}
		}
		before := keptOf(apply(t, p, older))
		for _, s := range keptOf(apply(t, p, all)) {
			if s.Sequence != newer.Sequence && !slices.Contains(before, s) {
				t.Fatalf("snapshot %d was to be removed until %d came", s.Sequence, newer.Sequence)
			}
		}
	})
}

func lastCounted(all []retention.Snapshot) int {
	for i, s := range slices.Backward(all) {
		if isCounted(s) {
			return i
		}
	}
	return -1
}

func TestOftenIsOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rng := drawRandom(t)
		p, all := randomPolicy(rng), steadyHistory(rng)
		var lived []retention.Snapshot
		for _, s := range all {
			lived = keptOf(apply(t, p, append(lived, s)))
		}
		if once := keptOf(apply(t, p, all)); !slices.Equal(lived, once) {
			t.Fatalf("pruned after each snapshot %v is left, pruned at the end %v", lived, once)
		}
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy retention.Policy
		want   string
	}{
		{retention.Policy{Last: 1}, ""},
		{retention.Policy{Within: time.Second}, ""},
		{retention.Policy{Yearly: 3, Location: time.Local}, ""},
		{retention.Policy{}, "no rule is given"},
		{retention.Policy{Location: time.Local}, "no rule is given"},
		{retention.Policy{Last: 3, Daily: -1}, "daily is -1"},
		{retention.Policy{Last: 3, Within: -time.Hour}, "within is -1h0m0s"},
	} {
		err := c.policy.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.policy, err, c.want)
		}
		verdicts, applied := c.policy.Apply([]retention.Snapshot{{Sequence: 1}, {Sequence: 2}})
		if (applied == nil) != (err == nil) || err != nil && verdicts != nil {
			t.Errorf("%+v: valid: %v; applied: %v, %v", c.policy, err, verdicts, applied)
		}
	}
}
