// Package digest computes the checksums that the format stores, in one pass: size, SHA-256, CRC-32C and, if a provider
// has no other, MD5.
package digest

import (
	"crypto/md5"
	"crypto/sha256"
	"hash"
	"hash/crc32"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Castagnoli is the table of CRC-32C (RFC 3720, appendix B.4), the CRC that the format and providers use.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Hasher computes the sums of the bytes that are written to it. It is not safe for concurrent use.
type Hasher struct {
	sha   hash.Cloner // the standard library's SHA-256 implements it
	md5   hash.Cloner // nil without it; the standard library's implements it too
	crc   uint32
	noCRC bool
	size  int64
}

// New returns a Hasher to which no byte has been written.
func New() *Hasher { return &Hasher{sha: sha256.New().(hash.Cloner)} }

// NewSHA256 returns a Hasher without the CRC-32C, which is zero in its Sums. It is for content that only its SHA-256
// identifies, such as that of a restore.
func NewSHA256() *Hasher {
	h := New()
	h.noCRC = true
	return h
}

// NewMD5 returns a Hasher that also computes the MD5.
func NewMD5() *Hasher {
	h := New()
	h.md5 = md5.New().(hash.Cloner)
	return h
}

// Clone returns a copy of the Hasher that continues independently. The clone of nil is nil.
func (h *Hasher) Clone() *Hasher {
	if h == nil {
		return nil
	}
	c := *h
	c.sha = clone(h.sha)
	if h.md5 != nil {
		c.md5 = clone(h.md5)
	}
	return &c
}

func clone(h hash.Cloner) hash.Cloner {
	c, err := h.Clone()
	if err != nil {
		panic(err) // only a wrapper of a hash that cannot be cloned returns an error
	}
	return c
}

// Write adds bytes. It never fails.
func (h *Hasher) Write(b []byte) (int, error) {
	if !h.noCRC {
		h.crc = crc32.Update(h.crc, Castagnoli, b)
	}
	if h.md5 != nil {
		h.md5.Write(b)
	}
	h.size += int64(len(b))
	return h.sha.Write(b)
}

// Size returns the number of bytes written so far.
func (h *Hasher) Size() int64 { return h.size }

// Sums returns the sums of all bytes written so far. More bytes may be written afterwards.
func (h *Hasher) Sums() store.Sums {
	sums := store.Sums{Size: h.size, CRC32C: manifest.CRC32C(h.crc)}
	h.sha.Sum(sums.SHA256[:0])
	return sums
}

// MD5 returns the MD5 of all bytes written so far; nil if the Hasher does not compute it.
func (h *Hasher) MD5() []byte {
	if h.md5 == nil {
		return nil
	}
	return h.md5.Sum(nil)
}
