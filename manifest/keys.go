package manifest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The keys and prefixes in an archive. This file has every formula for a key.
const (
	ArchiveKey      = "archive.json"
	ManifestsPrefix = "manifests/"
	LedgerPrefix    = "ledger/"
	DataPrefix      = "data/"
	BundlesPrefix   = "bundles/"
	PagesPrefix     = "pages/"
	ProofsPrefix    = "proofs/"
)

const pageSuffix = ".jsonl.zst"

// ManifestKey returns the key of the manifest with this sequence number. It has nine digits in
// three groups, so that three small listings find the newest manifest.
func ManifestKey(sequence int64) string { return ManifestsPrefix + numberPath(sequence) }

// LedgerKey returns the key of the ledger record with this number.
func LedgerKey(number int64) string { return LedgerPrefix + numberPath(number) }

func numberPath(n int64) string {
	s := nineDigits(n)
	return s[:3] + "/" + s[3:6] + "/" + s[6:] + ".json"
}

func nineDigits(n int64) string {
	if n < 1 || n > MaxSequence {
		panic(fmt.Sprintf("manifest: %d is no sequence number", n)) // a bug of the caller: decoders check numbers
	}
	return fmt.Sprintf("%09d", n)
}

// ParseManifestKey returns the sequence number in a manifest's key; false for any other key.
func ParseManifestKey(key string) (int64, bool) { return parseNumber(key, ManifestsPrefix) }

// ParseLedgerKey returns the number in a ledger record's key; false for any other key.
func ParseLedgerKey(key string) (int64, bool) { return parseNumber(key, LedgerPrefix) }

func parseNumber(key, prefix string) (int64, bool) {
	rest, ok := strings.CutPrefix(key, prefix)
	if !ok || len(rest) != len("000/000/000.json") || rest[3] != '/' || rest[7] != '/' || rest[11:] != ".json" {
		return 0, false
	}
	return parseNine(rest[:3] + rest[4:7] + rest[8:11])
}

// NestedRoot returns the prefix of a nested archive, if the key shows that there is one: the key
// ends like that of an archive.json, a manifest or a ledger record, below another prefix. No key
// of the listed archive itself has such an end, since an object's last element begins with its
// hash.
func NestedRoot(key string) (prefix string, ok bool) {
	if prefix, ok = strings.CutSuffix(key, ArchiveKey); ok {
		return prefix, strings.HasSuffix(prefix, "/")
	}
	for _, kind := range []string{ManifestsPrefix, LedgerPrefix} {
		at := len(key) - len(kind) - len("000/000/000.json")
		if at <= 0 || key[at-1] != '/' {
			continue
		}
		if _, ok := parseNumber(key[at:], kind); ok {
			return key[:at], true
		}
	}
	return "", false
}

func parseNine(digits string) (int64, bool) {
	if len(digits) != 9 {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n > 0
}

// DataKey returns the key of one version of a log file, or of a part of it. plain is the SHA-256
// of the plain content, sequence the snapshot for which it is stored. recipients are used only by
// an encoding that encrypts.
func DataKey(name string, plain Hash, sequence int64, encoding string, recipients []string) string {
	key := DataPrefix + EncodeName(name) + "/" + plain.String() + "-" + nineDigits(sequence)
	if encoding == Zstd || encoding == ZstdAge {
		key += ".zst"
	}
	if encoding == Age || encoding == ZstdAge {
		key += "." + RecipientsTag(recipients) + ".age"
	}
	return key
}

// NonceDigits is the length of a nonce in the key of an object.
const NonceDigits = 16

// NewNonce returns 64 random bits in hex, so that an attacker cannot create an object under a
// key before its writer has.
func NewNonce() string {
	var random [NonceDigits / 2]byte
	rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// WithNonce returns the key of a data object, bundle or page with a nonce after the number. A
// manifest with such a key has Format2.
func WithNonce(key, nonce string) string {
	at := nonceAt(key)
	return key[:at] + "-" + nonce + key[at:]
}

// CutNonce returns the key of a data object, bundle or page without its nonce, and the nonce; ""
// if it has none.
func CutNonce(key string) (without, nonce string) {
	at := nonceAt(key)
	end := at + len("-") + NonceDigits
	if len(key) < end || key[at] != '-' {
		return key, ""
	}
	return key[:at] + key[end:], key[at+1 : end]
}

// nonceAt returns the index of the nonce in an object's key, whether or not it has one.
func nonceAt(key string) int {
	return strings.LastIndexByte(key, '/') + 1 + 2*len(Hash{}) + len("-000000000")
}

// SealedDataKey is DataKey with a nonce after the number, as in the keys of encrypted objects.
func SealedDataKey(name string, plain Hash, sequence int64, encoding string, recipients []string, nonce string) string {
	return WithNonce(DataKey(name, plain, sequence, encoding, recipients), nonce)
}

// RecipientsTag returns the first 8 hex digits of the SHA-256 of the sorted recipients, one a
// line. So objects for different recipients have different keys.
func RecipientsTag(recipients []string) string {
	sorted := slices.Sorted(slices.Values(recipients))
	var lines strings.Builder
	for _, r := range sorted {
		lines.WriteString(r + "\n")
	}
	return Sum([]byte(lines.String())).String()[:8]
}

// BundleKey returns the key of a bundle; stored is the SHA-256 of its bytes.
func BundleKey(stored Hash, sequence int64) string {
	return BundlesPrefix + stored.String() + "-" + nineDigits(sequence)
}

// PageKey returns the key of a page; plain is the SHA-256 of its JSON Lines.
func PageKey(plain Hash, sequence int64) string {
	return PagesPrefix + plain.String() + "-" + nineDigits(sequence) + pageSuffix
}

// ProofKey returns a new key for the verification record of a verify or drill at a time. Keys sort
// by time; random digits distinguish those of the same moment.
func ProofKey(at time.Time, kind string) string {
	var random [4]byte
	rand.Read(random[:]) // never fails
	return ProofsPrefix + at.UTC().Format(proofTime) + "-" + kind + "-" + hex.EncodeToString(random[:]) + ".json"
}

// ParseProofKey returns the time and the kind in the key of a verification record; false for any
// other key.
func ParseProofKey(key string) (at time.Time, kind string, ok bool) {
	rest, ok := strings.CutPrefix(key, ProofsPrefix)
	if !ok {
		return time.Time{}, "", false
	}
	rest, ok = strings.CutSuffix(rest, ".json")
	stamp, rest, dash := strings.Cut(rest, "-")
	kind, random, more := strings.Cut(rest, "-")
	at, err := time.Parse(proofTime, stamp)
	ok = ok && dash && more && err == nil && kind != "" && len(random) == 8 && lowerHex(random)
	return at, kind, ok
}

const proofTime = "20060102T150405.000Z"

// ObjectKey is the parsed key of a data object, bundle or page.
type ObjectKey struct {
	Prefix   string // DataPrefix, BundlesPrefix or PagesPrefix
	Name     string // the log file's name as encoded in keys; only of a data object
	Hash     Hash   // of the plain content; for a bundle, of the stored bytes
	Sequence int64  // the snapshot for which it was stored
	Encoding string
	Nonce    string // random digits that make the key unpredictable; "" if it has none, as in version 1
}

// ParseObjectKey parses the key of a data object, bundle or page; false for any other key.
func ParseObjectKey(key string) (ObjectKey, bool) {
	k, ok := parseObjectKey(key)
	if !ok || (k.Prefix == DataPrefix && !encodedName(k.Name)) {
		return ObjectKey{}, false
	}
	return k, true
}

// parseObjectKey is ParseObjectKey, but does not check that Name is the encoding of a valid name.
func parseObjectKey(key string) (ObjectKey, bool) {
	var k ObjectKey
	base := key
	switch {
	case strings.HasPrefix(key, DataPrefix):
		slash := strings.LastIndexByte(key, '/')
		if slash <= len(DataPrefix) {
			return ObjectKey{}, false
		}
		k.Prefix, k.Name, base = DataPrefix, key[len(DataPrefix):slash], key[slash+1:]
	case strings.HasPrefix(key, BundlesPrefix):
		k.Prefix, base = BundlesPrefix, key[len(BundlesPrefix):]
	case strings.HasPrefix(key, PagesPrefix):
		k.Prefix, base = PagesPrefix, key[len(PagesPrefix):]
	default:
		return ObjectKey{}, false
	}
	if len(base) < 64+1+9 || base[64] != '-' {
		return ObjectKey{}, false
	}
	var ok bool
	var err error
	if k.Hash, err = ParseHash(base[:64]); err != nil {
		return ObjectKey{}, false
	}
	if k.Sequence, ok = parseNine(base[65:74]); !ok {
		return ObjectKey{}, false
	}
	suffix := base[74:]
	if n := len("-") + NonceDigits; len(suffix) >= n && suffix[0] == '-' && lowerHex(suffix[1:n]) {
		k.Nonce, suffix = suffix[1:n], suffix[n:]
	}
	if k.Encoding, ok = parseSuffix(k.Prefix, suffix); !ok {
		return ObjectKey{}, false
	}
	return k, true
}

func parseSuffix(prefix, suffix string) (encoding string, ok bool) {
	switch prefix {
	case BundlesPrefix:
		return Plain, suffix == ""
	case PagesPrefix:
		return Zstd, suffix == pageSuffix
	}
	rest, zst := strings.CutPrefix(suffix, ".zst")
	switch {
	case rest == "" && zst:
		return Zstd, true
	case rest == "":
		return Plain, true
	case len(rest) != len(".00000000.age") || rest[0] != '.' || !lowerHex(rest[1:9]) || rest[9:] != ".age":
		return "", false
	case zst:
		return ZstdAge, true
	}
	return Age, true
}
