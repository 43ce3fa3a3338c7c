package entries_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
)

// Random logs: a bit that flips in an entry before another is damage. An end that was cut, or is
// full of zeros or of noise, is none.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		log := entriestest.NewJE(26, 3, 7)
		var starts []int
		for range 3 + random.IntN(20) {
			starts = append(starts, len(log.Bytes))
			item := make([]byte, random.IntN(400))
			for i := range item {
				item[i] = byte(random.Uint32())
			}
			log.Add(entriestest.JERecord, item)
		}
		last := starts[len(starts)-1]
		check := func(what string, b []byte, want bool) {
			t.Helper()
			r := je.NewReader(3)
			r.Write(b)
			if res := r.Result(); res.Problem == nil {
				return // an invisible bit, or the end of an entry
			}
			if got, err := r.Resyncs(t.Context(), bytes.NewReader(b), int64(len(b))); err != nil || got != want {
				t.Fatalf("%s: %v, %v; %v", what, got, err, r.Result().Problem)
			}
		}
		damaged := bytes.Clone(log.Bytes)
		damaged[starts[0]+random.IntN(last-starts[0])] ^= 1 << random.IntN(8)
		check("damage", damaged, true)
		cut := bytes.Clone(log.Bytes[:last+random.IntN(len(log.Bytes)-last)])
		check("cut", cut, false)
		check("zeros", append(cut, make([]byte, random.IntN(5000))...), false)
		noise := make([]byte, random.IntN(5000))
		for i := range noise {
			noise[i] = byte(random.Uint32())
		}
		check("noise", append(cut, noise...), false)
	}
}

// A file without a header gives no result, and nothing is read for it.
func TestGoesOnWithoutHeader(t *testing.T) {
	t.Parallel()
	r := entries.Reader{}
	if on, err := r.Resyncs(t.Context(), nil, 1<<20); on || err != nil {
		t.Errorf("%v, %v", on, err)
	}
}
