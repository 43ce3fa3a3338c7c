package archive

import (
	"crypto/sha256"
	"hash"
	"hash/crc32"

	"github.com/strongroom-dev/strongroom/manifest"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// summer computes the checksums of what is written to it.
type summer struct {
	sha  hash.Cloner // as those of the standard library are
	crc  uint32
	size int64
}

func newSummer() *summer { return &summer{sha: sha256.New().(hash.Cloner)} }

// clone gives a summer that goes on by itself; nil for nil.
func (s *summer) clone() *summer {
	if s == nil {
		return nil
	}
	c := *s
	var err error
	if c.sha, err = s.sha.Clone(); err != nil {
		panic(err) // only wrappers of hashes that cannot be cloned return one
	}
	return &c
}

func (s *summer) Write(b []byte) (int, error) {
	s.crc = crc32.Update(s.crc, castagnoli, b)
	s.size += int64(len(b))
	return s.sha.Write(b)
}

func (s *summer) sums() Sums {
	sums := Sums{Size: s.size, CRC32C: manifest.CRC32C(s.crc)}
	s.sha.Sum(sums.SHA256[:0])
	return sums
}
