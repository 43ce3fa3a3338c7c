package archive_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// An oracle reads a store after every change of it, and holds the expected state.
type oracle struct {
	w     *theatre
	name  string
	store *storetest.InMemory
	of    *oracle    // whose copy it is; nil: it is none
	one   sync.Mutex // one change at a time, of what is watched

	past     []*storetest.InMemory
	valid    map[int64]manifest.Hash    // the snapshots there are
	ever     map[manifest.Ref]bool      // those there were
	held     map[int64]bool             // whose hold was reported
	released map[int64]bool             // released, or about to be
	names    map[manifest.Hash][]string // what a manifest names
	ledger   int64
	late     int // manifests that were invalid when they were created

	dropped map[int64]bool      // by records; if set, there is damage, and nothing else is checked
	whole   *storetest.InMemory // the store before it was damaged
}

// isRight reports whether an object has the content that it had before the store was damaged.
func (o *oracle) isRight(key string) bool {
	if o.whole == nil {
		return false
	}
	good := o.whole.Snapshot().Bytes(key)
	return good != nil && bytes.Equal(o.store.Snapshot().Bytes(key), good)
}

func newOracle(w *theatre, name string, of *oracle) *oracle {
	return &oracle{
		w: w, name: name, of: of, store: storetest.Memory(w.t), valid: map[int64]manifest.Hash{},
		ever: map[manifest.Ref]bool{}, held: map[int64]bool{}, released: map[int64]bool{}, names: map[manifest.Hash][]string{},
	}
}

// earlier is the store as it was at some moment.
func (o *oracle) earlier(r *rand.Rand) store.Store {
	if len(o.past) == 0 {
		return o.store.Clone()
	}
	return o.past[r.IntN(len(o.past))]
}

// record is the ledger's greatest, nil if there is none.
func (o *oracle) record(c storetest.Content) *manifest.Record {
	keys := c.Keys(manifest.LedgerPrefix)
	if len(keys) == 0 {
		return nil
	}
	n, _ := manifest.ParseLedgerKey(keys[len(keys)-1])
	r, err := manifest.DecodeRecord(c.Bytes(keys[len(keys)-1]), n)
	if err != nil {
		o.w.fatal("%s: record %d: %v", o.name, n, err)
	}
	return r
}

// look compares the store with everything that must be true at any moment.
func (o *oracle) look(what string) {
	o.w.t.Helper()
	c := o.store.Snapshot()
	o.past = append(o.past, o.store.Clone())
	record := o.record(c)
	number := int64(0)
	if record != nil {
		number = record.Number
	}
	if o.dropped != nil {
		if record != nil {
			for _, n := range record.Removed {
				o.dropped[n] = true
			}
		}
		return
	}
	if number < o.ledger {
		o.w.fatal("%s: %s: the ledger went back from %d to %d", o.name, what, o.ledger, number)
	}
	now := map[int64]manifest.Hash{}
	for _, key := range c.Keys(manifest.ManifestsPrefix) {
		n, _ := manifest.ParseManifestKey(key)
		b := c.Bytes(key)
		sum := manifest.Sum(b)
		if !record.Valid(n, sum) {
			if strings.HasSuffix(what, " put "+key) {
				o.late++
			}
			continue
		}
		now[n] = sum
		for _, object := range o.namedBy(n, sum, b, c) {
			if _, there := c[object]; !there {
				o.w.fatal("%s: %s: snapshot %d is valid, and %s, which it names, is missing", o.name, what, n, object)
			}
		}
		if _, was := o.valid[n]; !was && number == o.ledger {
			o.ever[manifest.Ref{Sequence: n, SHA256: sum}] = true
			if o.of != nil && !o.of.ever[manifest.Ref{Sequence: n, SHA256: sum}] {
				o.w.fatal("%s: %s: snapshot %d of the copy never was one of the original", o.name, what, n)
			}
		}
	}
	if record != nil {
		for _, k := range record.Kept {
			if now[k.Sequence] != k.SHA256 {
				o.w.fatal("%s: %s: record %d keeps snapshot %d, which is not there", o.name, what, record.Number, k.Sequence)
			}
		}
	}
	o.compare(what, now, number)
	o.valid, o.ledger = now, number
}

// compare checks each snapshot that existed before.
func (o *oracle) compare(what string, now map[int64]manifest.Hash, number int64) {
	newest := int64(0)
	for n, sum := range o.valid {
		newest = max(newest, n)
		if now[n] == sum {
			continue
		}
		if number == o.ledger {
			o.w.fatal("%s: %s: snapshot %d went without a record of the ledger", o.name, what, n)
		}
		if o.held[n] {
			o.w.fatal("%s: %s: snapshot %d went, and is held", o.name, what, n)
		}
	}
	if newest > 0 && now[newest] != o.valid[newest] {
		o.w.fatal("%s: %s: snapshot %d went, and was the newest", o.name, what, newest)
	}
	for n := range now {
		if _, was := o.valid[n]; !was && number > o.ledger {
			o.w.fatal("%s: %s: a record made a snapshot of %d, which was none", o.name, what, n)
		}
	}
}

func (o *oracle) namedBy(n int64, sum manifest.Hash, b []byte, c storetest.Content) []string {
	if names, ok := o.names[sum]; ok {
		return names
	}
	m, err := manifest.DecodeManifest(b, n)
	if err != nil {
		o.w.fatal("%s: manifest %d: %v", o.name, n, err)
	}
	files := m.Files
	var names []string
	codec := manifest.NewPageCodec()
	for i := range m.Pages {
		names = append(names, m.Pages[i].Object)
		page, err := codec.Decode(c.Bytes(m.Pages[i].Object), &m.Pages[i], n)
		if err != nil {
			o.w.fatal("%s: manifest %d: %s: %v", o.name, n, m.Pages[i].Object, err)
		}
		files = append(files, page...)
	}
	for i := range files {
		for j := range files[i].Parts {
			names = append(names, files[i].Parts[j].Object)
		}
	}
	slices.Sort(names)
	o.names[sum] = slices.Compact(names)
	return o.names[sum]
}

// clean checks, after an undisturbed prune, that no useless object is left.
func (o *oracle) clean(t *testing.T) {
	t.Helper()
	c := o.store.Snapshot()
	record := o.record(c)
	needed := map[string]bool{}
	for n, sum := range o.valid {
		for _, name := range o.names[sum] {
			needed[name] = true
		}
		needed[manifest.ManifestKey(n)] = true
	}
	for _, key := range c.Keys("") {
		n, isManifest := manifest.ParseManifestKey(key)
		object, isObject := manifest.ParseObjectKey(key)
		number, isRecord := manifest.ParseLedgerKey(key)
		switch {
		case needed[key]:
		case isManifest && n <= record.Newest, isObject && object.Sequence <= record.Newest, isRecord && number != record.Number:
			o.w.fatal("%s: %s is left, and no snapshot needs it", o.name, key)
		}
	}
}
