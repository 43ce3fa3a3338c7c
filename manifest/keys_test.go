package manifest

import (
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	h := Sum([]byte("x"))
	hex := "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
	for _, test := range []struct{ got, want string }{
		{ManifestKey(42), "manifests/000/000/042.json"},
		{ManifestKey(MaxSequence), "manifests/999/999/999.json"},
		{LedgerKey(1_234_567), "ledger/001/234/567.json"},
		{DataKey("d/a b.jdb", h, 42, Plain, []string{"age1x"}), "data/d/a%20b.jdb/" + hex + "-000000042"},
		{DataKey("a", h, 42, Zstd, nil), "data/a/" + hex + "-000000042.zst"},
		// printf 'age1a\nage1b\n' | sha256sum | cut -c1-8
		{DataKey("a", h, 42, Age, []string{"age1b", "age1a"}), "data/a/" + hex + "-000000042.a1f22ff7.age"},
		{DataKey("a", h, 42, ZstdAge, []string{"age1a", "age1b"}), "data/a/" + hex + "-000000042.zst.a1f22ff7.age"},
		{
			SealedDataKey("d/a b.jdb", h, 42, ZstdAge, []string{"age1a", "age1b"}, "0123456789abcdef"),
			"data/d/a%20b.jdb/" + hex + "-000000042-0123456789abcdef.zst.a1f22ff7.age",
		},
		{BundleKey(h, 42), "bundles/" + hex + "-000000042"},
		{PageKey(h, 42), "pages/" + hex + "-000000042.jsonl.zst"},
		{WithNonce(DataKey("a", h, 42, Plain, nil), "0123456789abcdef"), "data/a/" + hex + "-000000042-0123456789abcdef"},
		{WithNonce(DataKey("a", h, 42, Zstd, nil), "0123456789abcdef"), "data/a/" + hex + "-000000042-0123456789abcdef.zst"},
		{WithNonce(BundleKey(h, 42), "0123456789abcdef"), "bundles/" + hex + "-000000042-0123456789abcdef"},
		{WithNonce(PageKey(h, 42), "0123456789abcdef"), "pages/" + hex + "-000000042-0123456789abcdef.jsonl.zst"},
	} {
		if test.got != test.want {
			t.Errorf("%s, want %s", test.got, test.want)
		}
	}
}

func TestRecipientsTagKeepsOrder(t *testing.T) {
	t.Parallel()
	recipients := []string{"b", "a"}
	RecipientsTag(recipients)
	if recipients[0] != "b" {
		t.Error("the caller's list was sorted")
	}
}

func TestNumbersOutOfRange(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{-1, 0, MaxSequence + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d has a key", n)
				}
			}()
			ManifestKey(n)
		}()
	}
}

func TestProofKey(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("", 3600))
	key := ProofKey(at, "verify")
	if !regexp.MustCompile(`^proofs/20260102T020405\.678Z-verify-[0-9a-f]{8}\.json$`).MatchString(key) {
		t.Error(key)
	}
	if key == ProofKey(at, "verify") {
		t.Error("two proofs of one moment have one key")
	}
}

func TestParseNumberKeys(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int64{
		"manifests/000/000/001.json":        1,
		"manifests/999/999/999.json":        999_999_999,
		"manifests/000/000/000.json":        0,
		"manifests/000/000/1.json":          0,
		"manifests/000/000/001.json ":       0,
		"manifests/000/000/0001.json":       0,
		"manifests/000/000/-01.json":        0,
		"manifests/000/000/+01.json":        0,
		"manifests/000/0000001.json":        0,
		"manifests/000/000/001.JSON":        0,
		"ledger/000/000/001.json":           0,
		"x/manifests/000/000/001.json":      0,
		"manifests/000/000/00١.json":        0,
		"manifests/000/000/001.json.backup": 0,
		"":                                  0,
	} {
		n, ok := ParseManifestKey(key)
		if ok != (want > 0) || ok && n != want {
			t.Errorf("%q: %d, %v", key, n, ok)
		}
	}
	if n, ok := ParseLedgerKey("ledger/000/000/007.json"); n != 7 || !ok {
		t.Error(n, ok)
	}
	if _, ok := ParseLedgerKey("manifests/000/000/007.json"); ok {
		t.Error("a manifest passes for a ledger record")
	}
}

// Keys that prove that another archive lies within this one. A log file may have any name, so its
// objects must never be taken for such a proof: they could not be pruned any more.
func TestNestedRoot(t *testing.T) {
	t.Parallel()
	object := "/" + Sum([]byte("x")).String() + "-000000001"
	for key, want := range map[string]string{
		"archive.json":                              "",
		"manifests/000/000/001.json":                "",
		"ledger/000/000/001.json":                   "",
		"x/archive.json":                            "x/",
		"data/node-2/archive.json":                  "data/node-2/",
		"data/archive.json":                         "data/",
		"data/node-2/manifests/000/000/001.json":    "data/node-2/",
		"x/y/ledger/123/456/789.json":               "x/y/",
		"manifests/manifests/000/000/001.json":      "manifests/",
		"manifests/000/manifests/000/000/001.json":  "manifests/000/",
		"ledger/000/000/ledger/000/000/001.json":    "ledger/000/000/",
		"data/archive.json/archive.json":            "data/archive.json/",
		"xarchive.json":                             "",
		"data/my-archive.json":                      "",
		"x/archive.json.bak":                        "",
		"x/manifests/000/000/000.json":              "",
		"x/manifests/000/000/1.json":                "",
		"xmanifests/000/000/001.json":               "",
		"/archive.json":                             "/",
		"data/archive.json" + object:                "",
		"data/manifests/000/000/001.json" + object:  "",
		"data/x/ledger/000/000/001.json" + object:   "",
		"data/x/manifests/000" + object + ".zst":    "",
		"proofs/20260102T030405.678Z-verify-0.json": "",
		"": "",
	} {
		got, ok := NestedRoot(key)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v, want %q", key, got, ok, want)
		}
	}
}

// No key that an archive has proves that another lies within it.
func TestNestedRootOfOwnKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		elements := rapid.SliceOfN(rapid.SampledFrom([]string{
			"archive.json", "manifests", "ledger", "data", "000", "001.json", "x", "bundles", "000/000/001.json",
		}), 1, 6).Draw(t, "name")
		name, h := strings.Join(elements, "/"), Sum([]byte(rapid.String().Draw(t, "content")))
		n := rapid.Int64Range(1, MaxSequence).Draw(t, "number")
		for _, key := range []string{
			DataKey(name, h, n, Plain, nil), DataKey(name, h, n, ZstdAge, []string{"age1x"}), BundleKey(h, n), PageKey(h, n),
			ManifestKey(n), LedgerKey(n), ProofKey(time.Now(), ProofVerify), ArchiveKey,
		} {
			if root, ok := NestedRoot(key); ok {
				t.Errorf("%s proves an archive at %s", key, root)
			}
		}
	})
}

func TestParseObjectKeyRefuses(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("ab", 32)
	for _, key := range []string{
		"", "data/", "data", "archive.json", "manifests/000/000/001.json",
		"data/" + hex + "-000000001",            // no name
		"data//" + hex + "-000000001",           // an empty one
		"data/../" + hex + "-000000001",         // not a name
		"data/a/../b/" + hex + "-000000001",     //
		"data/a//b/" + hex + "-000000001",       //
		"data/a b/" + hex + "-000000001",        // not encoded
		"data/é/" + hex + "-000000001",          //
		"data/%41/" + hex + "-000000001",        // encoded without need
		"data/%c3%a9/" + hex + "-000000001",     // in lower case
		"data/%2E%2E/" + hex + "-000000001",     //
		"data/a%2Fb/" + hex + "-000000001",      //
		"data/%/" + hex + "-000000001",          //
		"data/%0A/" + hex + "-000000001",        // a control character
		"data/%FF/" + hex + "-000000001",        // not UTF-8
		"data/" + hex + "/" + hex + "-00000001", // too short
		"data/a/" + hex + "-000000000",
		"data/a/" + hex + "-0000000001",
		"data/a/" + hex + "-00000000a",
		"data/a/" + hex,
		"data/a/" + hex + "_000000001",
		"data/a/" + strings.ToUpper(hex) + "-000000001",
		"data/a/" + hex[:63] + "g-000000001",
		"data/a/" + hex + "-000000001.gz",
		"data/a/" + hex + "-000000001.zst.zst",
		"data/a/" + hex + "-000000001.age",
		"data/a/" + hex + "-000000001.0123456.age",
		"data/a/" + hex + "-000000001.0123456G.age",
		"data/a/" + hex + "-000000001.01234567.age.zst",
		"data/a/" + hex + "-000000001.jsonl.zst",
		"data/a/" + hex + "-000000001/",
		"data/a/" + hex + "-000000001-0123456789abcde", // no whole nonce
		"data/a/" + hex + "-000000001-",
		"data/a/" + hex + "-000000001-0123456789abcdef0",
		"data/a/" + hex + "-000000001-0123456789abcde.01234567.age",
		"data/a/" + hex + "-000000001-0123456789ABCDEF.01234567.age",
		"data/a/" + hex + "-000000001-0123456789abcdef-0123456789abcdef.01234567.age",
		"bundles/" + hex + "-000000001-0123456789abcdef.zst",
		"bundles/" + hex + "-000000001-0123456789ABCDEF",
		"pages/" + hex + "-000000001-0123456789abcdef",
		"pages/" + hex + "-000000001.jsonl.zst-0123456789abcdef",
		"bundles/" + hex + "-000000001.zst",
		"bundles/a/" + hex + "-000000001",
		"pages/" + hex + "-000000001",
		"pages/" + hex + "-000000001.jsonl",
		"pages/" + hex + "-000000001.zst",
		"/data/a/" + hex + "-000000001",
		"DATA/a/" + hex + "-000000001",
		"data/" + strings.Repeat("a", 201) + "/" + hex + "-000000001",
	} {
		if k, ok := ParseObjectKey(key); ok || k != (ObjectKey{}) {
			t.Errorf("%q is read as %+v", key, k)
		}
	}
}

// checkKey fails unless the parsed parts of a key make the key again.
func checkKey(t interface{ Fatalf(string, ...any) }, key string) {
	k, ok := ParseObjectKey(key)
	if !ok {
		return
	}
	var again string
	switch k.Prefix {
	case BundlesPrefix:
		again = BundleKey(k.Hash, k.Sequence)
	case PagesPrefix:
		again = PageKey(k.Hash, k.Sequence)
	case DataPrefix:
		again = DataKey(mustUnescape(k.Name), k.Hash, k.Sequence, k.Encoding, nil)
	}
	if k.Nonce != "" {
		again = WithNonce(again, k.Nonce)
	}
	if k.Encoding == Age || k.Encoding == ZstdAge { // the tag is a hash: take the key's own
		tag := len(key) - len("01234567.age")
		again = again[:tag] + key[tag:tag+8] + ".age"
	}
	if without, nonce := CutNonce(key); nonce != k.Nonce || k.Nonce == "" && without != key {
		t.Fatalf("%q without its nonce %q is %q", key, nonce, without)
	}
	if again != key {
		t.Fatalf("%q is read as %+v, whose key is %q", key, k, again)
	}
}

func TestObjectKeysRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hash := genHash().Draw(t, "hash")
		sequence := rapid.Int64Range(1, MaxSequence).Draw(t, "sequence")
		name := rapid.SampledFrom([]string{"a", "d/e", "déjà vu", "100%", "x.zst", "y.01234567.age"}).Draw(t, "name")
		encoding := rapid.SampledFrom([]string{Plain, Zstd, Age, ZstdAge}).Draw(t, "encoding")
		keys := map[string]ObjectKey{
			DataKey(name, hash, sequence, encoding, []string{"r"}): {DataPrefix, EncodeName(name), hash, sequence, encoding, ""},
			BundleKey(hash, sequence):                              {BundlesPrefix, "", hash, sequence, Plain, ""},
			PageKey(hash, sequence):                                {PagesPrefix, "", hash, sequence, Zstd, ""},
		}
		for key, want := range maps.Clone(keys) {
			want.Nonce = NewNonce()
			with := WithNonce(key, want.Nonce)
			if without, nonce := CutNonce(with); without != key || nonce != want.Nonce {
				t.Fatalf("%q is %q with the nonce %q", with, without, nonce)
			}
			keys[with] = want
		}
		for key, want := range keys {
			if got, ok := ParseObjectKey(key); !ok || got != want {
				t.Fatalf("%q: %+v, %v", key, got, ok)
			}
			checkKey(t, key)
		}
		if n, ok := ParseManifestKey(ManifestKey(sequence)); !ok || n != sequence {
			t.Fatalf("%d: %d, %v", sequence, n, ok)
		}
		if n, ok := ParseLedgerKey(LedgerKey(sequence)); !ok || n != sequence {
			t.Fatalf("%d: %d, %v", sequence, n, ok)
		}
	})
}
