package manifest

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// testProofs are a proof of each kind, with the keys under which the golden files lie.
func testProofs() map[string]*Proof {
	base := func(kind string) *Proof {
		return &Proof{
			Format: Format, Archive: testID, Kind: kind, Created: testTime.Truncate(time.Millisecond),
			DurationMS: 1234, Node: "orders-1", Tool: "strongroom 1.0.0", Outcome: OutcomeOK,
		}
	}
	verify := base(ProofVerify)
	verify.Outcome, verify.Snapshots, verify.Objects, verify.Bytes, verify.ReadObjects, verify.ReadBytes = OutcomeFailed, 3, 120, 1_000_000, 12, 99_000
	verify.Problems = []ProofProblem{
		{Object: ManifestKey(2), What: "unreadable", Detail: `it is "<nothing>" & more`},
		{Object: "data/0000002a.jdb/" + content("x").String() + "-000000041", What: "missing", Detail: "it is not there", Snapshots: []int64{41, 42}},
	}
	key := KeyPrefixOf("another")
	verify.More = key[:]
	read := base(ProofRead)
	read.Snapshots, read.Objects, read.Bytes, read.ReadObjects, read.ReadBytes = 3, 3, 1_000_000, 1, 99_000
	marks := func(keys ...string) (all KeyPrefixes) {
		for _, k := range keys {
			m := KeyPrefixOf(k)
			all = append(all, m[:]...)
		}
		return all
	}
	read.Read = []ReadBack{{testTime.AddDate(0, 0, -7), marks("a")}, {testTime, marks("b", "c")}}
	drill := base(ProofDrill)
	drill.Outcome, drill.Snapshot, drill.Command, drill.Why = OutcomeFailed, 42, "java -jar je.jar DbVerify -h .", "the command ended with code 1"
	proofs := map[string]*Proof{}
	for _, p := range []*Proof{verify, read, drill} {
		proofs[ProofsPrefix+testTime.Format(proofTime)+"-"+p.Kind+"-0a1b2c3d.json"] = p
	}
	return proofs
}

func TestGoldenProofs(t *testing.T) {
	t.Parallel()
	for key, p := range testProofs() {
		data, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, kind, ok := ParseProofKey(key); !ok || kind != p.Kind {
			t.Errorf("%s is no key of a proof", key)
		}
		golden(t, key, data)
		if got, err := DecodeProof(data); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%v: %+v", err, got)
		}
	}
}

func TestHostileProofs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault  string
		change func(p *Proof)
	}{
		{"unknown format version", func(p *Proof) { p.Format = "strongroom/3" }},
		{"UUID", func(p *Proof) { p.Archive = "../x" }},
		{"kind", func(p *Proof) { p.Kind = "Verify" }},
		{"created", func(p *Proof) { p.Created = p.Created.In(testZone) }},
		{"outcome", func(p *Proof) { p.Outcome = "" }},
		{"negative", func(p *Proof) { p.ReadBytes = -1 }},
		{"negative", func(p *Proof) { p.DurationMS = -1 }},
		{"negative", func(p *Proof) { p.Snapshot = -1 }},
		{"negative", func(p *Proof) { p.RestoredFiles = -1 }},
		{"negative", func(p *Proof) { p.RestoredBytes = -1 }},
		{"negative", func(p *Proof) { p.RestoreMS = -1 }},
		{"problems", func(p *Proof) { p.Problems = make([]ProofProblem, MaxProofProblems+1) }},
	} {
		for _, p := range testProofs() {
			test.change(p)
			if _, err := p.Encode(); err == nil {
				t.Errorf("%q: it can be encoded", test.fault)
			}
			_, err := DecodeProof(rawJSON(t, p))
			wantFault(t, err, test.fault)
		}
	}
	for _, marks := range []string{"AAAA", "AAAAAAA", "AAAAAAAA=", "AAAAAAA\\n", "&&&&&&&&"} {
		for _, p := range testProofs() {
			data := string(mustEncode(t, p))
			if p.Kind != ProofRead {
				continue
			}
			first := base64.RawStdEncoding.EncodeToString(p.Read[0].Prefixes)
			_, err := DecodeProof([]byte(strings.Replace(data, first, marks, 1)))
			wantFault(t, err, "key prefixes")
		}
	}
}

func FuzzDecodeProof(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join(goldenDir, ProofsPrefix, "*"))
	if err != nil || len(paths) != 3 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		seed(f, b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := DecodeProof(data)
		if err != nil {
			return
		}
		again := mustEncode(t, p)
		got, err := DecodeProof(again)
		if err != nil {
			t.Fatalf("our own text is not accepted: %v", err)
		}
		if twice := mustEncode(t, got); !bytes.Equal(again, twice) {
			t.Fatalf("%s, then %s", again, twice)
		}
		if slices.ContainsFunc(p.Read, func(r ReadBack) bool { return len(r.Prefixes)%KeyPrefixLen != 0 }) {
			t.Fatal("a part of a mark")
		}
	})
}
