package nested

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/strongroom-dev/strongroom/manifest"
)

// A listing is in the order of the keys, so that what proves a nested archive may come last. The
// counts are right all the same, as if all roots had been known before.
func TestNestingCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		element := rapid.SampledFrom([]string{"a", "b", "data", "bundles", "manifests", "z"})
		keys := map[string]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "keys") {
			dirs := rapid.SliceOfN(element, 0, 4).Draw(t, "directories")
			last := rapid.SampledFrom([]string{"archive.json", "manifests/000/000/001.json", "ledger/000/000/001.json", "x", "y"}).Draw(t, "last")
			keys["data/"+strings.Join(append(dirs, last), "/")] = true
		}
		all := Roots{}
		for key := range keys {
			if root, ok := manifest.NestedRoot(key); ok {
				all.Add(root)
			}
		}
		want, rest := map[string]int64{}, int64(0)
		n := Nesting{Roots: Roots{}}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			n.See(key, Tally{Objects: 1, Other: 1})
			outermost := ""
			for i := range len(key) {
				if key[i] == '/' && outermost == "" && all.Has(key[:i+1]) {
					outermost = key[:i+1]
				}
			}
			if outermost == "" {
				rest++
				continue
			}
			want[outermost]++
		}
		got := map[string]int64{}
		for _, one := range n.End() {
			got[one.Prefix] = one.Objects
		}
		if !maps.Equal(got, want) || n.Rest.Other != rest || n.Rest.Objects != rest {
			t.Fatalf("%q:\n%v, and %d of the rest; want %v and %d", slices.Sorted(maps.Keys(keys)), got, n.Rest.Other, want, rest)
		}
	})
}

// An attacker who may create objects can make any number of nested archives. The memory for them is
// bounded, and a nested object stays nested.
func TestRootsAreBounded(t *testing.T) {
	t.Parallel()
	r := Roots{}
	for i := range 3 * maxRoots {
		r.Add(fmt.Sprintf("data/%07d/", i))
	}
	if len(r) > maxRoots {
		t.Errorf("%d are recorded", len(r))
	}
	for _, key := range []string{"data/0000000/data/x", fmt.Sprintf("data/%07d/data/x", 3*maxRoots-1)} {
		if !r.Holds(key) {
			t.Errorf("%s counts as the outer archive's", key)
		}
	}
}

// Homes are the archives that may own an object under a key, apart from the one that it was listed
// in.
func TestHomes(t *testing.T) {
	t.Parallel()
	h := manifest.Sum(nil).String() + "-000000001"
	for key, want := range map[string][]string{
		"data/00000001.jdb/" + h:             nil,
		"data/sub/00000001.jdb/" + h:         nil,
		"data/archive.jsonx/" + h:            nil,
		"data/node-2/data/00000001.jdb/" + h: {"data/node-2/"},
		"data/node-2/bundles/" + h:           {"data/node-2/"},
		"data/data/data/x/" + h:              {"data/", "data/data/"},
		"bundles/" + h:                       nil,
		manifest.ManifestKey(7):              nil,
		"data/old":                           nil,
	} {
		if got := Homes(key); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}
