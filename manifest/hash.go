package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Hash is a SHA-256. In JSON and in keys it is 64 lower-case hex digits.
type Hash [sha256.Size]byte

// Sum returns the SHA-256 of b.
func Sum(b []byte) Hash { return sha256.Sum256(b) }

// String returns the 64 lower-case hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is not set. No known content has the zero hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) {
	return hex.AppendEncode(make([]byte, 0, 2*len(h)), h[:]), nil
}

// ParseHash parses exactly 64 lower-case hex digits.
func ParseHash(s string) (Hash, error) {
	return parseHash(s)
}

// parseHash is ParseHash for strings and bytes. Manifests consist mostly of hashes, so decoding
// spends most of its time in this loop.
func parseHash[T string | []byte](s T) (h Hash, err error) {
	ok := len(s) == 2*len(h)
	if ok {
		var bad byte
		for i := range h {
			hi, lo := nibbles[s[2*i]], nibbles[s[2*i+1]]
			h[i] = hi<<4 | lo&15
			bad |= hi | lo
		}
		ok = bad&notHex == 0
	}
	if !ok {
		return Hash{}, fmt.Errorf("%.80q is not a SHA-256 of %d lower-case hex digits", s, 2*len(h))
	}
	return h, nil
}

const notHex = 0x80

// nibbles maps each lower-case hex digit to its value, and other bytes to notHex.
var nibbles = func() (table [256]byte) {
	for c := range table {
		table[c] = notHex
	}
	for i, c := range []byte("0123456789abcdef") {
		table[c] = byte(i)
	}
	return table
}()

// CRC32C is a CRC-32 with the Castagnoli polynomial, the checksum that S3 and GCS verify on
// upload. In JSON it is eight lower-case hex digits.
type CRC32C uint32

// String returns the eight lower-case hex digits.
func (c CRC32C) String() string { return fmt.Sprintf("%08x", uint32(c)) }

// MarshalText implements encoding.TextMarshaler.
func (c CRC32C) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// ParseCRC32C parses exactly eight lower-case hex digits.
func ParseCRC32C(s string) (CRC32C, error) {
	if len(s) != 8 || !lowerHex(s) {
		return 0, fmt.Errorf("%.80q is not a CRC-32C of 8 lower-case hex digits", s)
	}
	n, err := strconv.ParseUint(s, 16, 32)
	return CRC32C(n), err
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if nibbles[s[i]] == notHex {
			return false
		}
	}
	return true
}
