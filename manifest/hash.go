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

// IsZero reports whether h was never set. No content that anybody has found has this hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText implements encoding.TextMarshaler.
func (h Hash) MarshalText() ([]byte, error) {
	return hex.AppendEncode(make([]byte, 0, 2*len(h)), h[:]), nil
}

// ParseHash reads exactly 64 lower-case hex digits.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) || !lowerHex(s) {
		return Hash{}, fmt.Errorf("%.80q is not a SHA-256 of %d lower-case hex digits", s, 2*len(h))
	}
	_, err := hex.Decode(h[:], []byte(s))
	return h, err
}

// CRC32C is a CRC-32 with the Castagnoli polynomial, the checksum that S3 and GCS
// verify for us. In JSON it is eight lower-case hex digits.
type CRC32C uint32

// String returns the eight lower-case hex digits.
func (c CRC32C) String() string { return fmt.Sprintf("%08x", uint32(c)) }

// MarshalText implements encoding.TextMarshaler.
func (c CRC32C) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// ParseCRC32C reads exactly eight lower-case hex digits.
func ParseCRC32C(s string) (CRC32C, error) {
	if len(s) != 8 || !lowerHex(s) {
		return 0, fmt.Errorf("%.80q is not a CRC-32C of 8 lower-case hex digits", s)
	}
	n, err := strconv.ParseUint(s, 16, 32)
	return CRC32C(n), err
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
