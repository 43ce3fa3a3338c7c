package encoding

import (
	"crypto/sha256"
	"hash"
	"hash/crc32"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Sums describes some bytes: what archive.Sums has, and convertible to it.
type Sums struct {
	Size   int64
	SHA256 manifest.Hash
	CRC32C manifest.CRC32C
}

// summer computes the Sums of what is written to it.
type summer struct {
	table *crc32.Table
	sha   hash.Hash
	crc   uint32
	size  int64
}

func newSummer() *summer {
	return &summer{table: crc32.MakeTable(crc32.Castagnoli), sha: sha256.New()}
}

func (s *summer) Write(b []byte) (int, error) {
	s.crc = crc32.Update(s.crc, s.table, b)
	s.size += int64(len(b))
	return s.sha.Write(b)
}

func (s *summer) sums() Sums {
	return Sums{Size: s.size, SHA256: manifest.Hash(s.sha.Sum(nil)), CRC32C: manifest.CRC32C(s.crc)}
}
