package digest

import (
	"crypto/md5"
	"encoding/hex"
	"testing"
)

// A restore identifies content by its SHA-256 alone. A Hasher without the CRC-32C, and a clone of it, must count and hash
// the same bytes as one with both.
func TestHasherWithoutCRC(t *testing.T) {
	t.Parallel()
	both, one := New(), NewSHA256()
	for _, b := range []string{"", "one", "two and more"} {
		both.Write([]byte(b))
		one = one.Clone()
		one.Write([]byte(b))
	}
	want := both.Sums()
	if want.CRC32C == 0 {
		t.Error("the CRC-32C is missing")
	}
	want.CRC32C = 0
	if got := one.Sums(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A Hasher with the MD5 has the same other sums, and so has a clone of it, which continues by itself.
func TestHasherWithMD5(t *testing.T) {
	t.Parallel()
	three, two := NewMD5(), New()
	for _, b := range []string{"", "one", "two and more"} {
		two.Write([]byte(b))
		aside := three.Clone()
		aside.Write([]byte("aside"))
		three = three.Clone()
		three.Write([]byte(b))
	}
	want := md5.Sum([]byte("onetwo and more"))
	if got := three.MD5(); hex.EncodeToString(got) != hex.EncodeToString(want[:]) || three.Sums() != two.Sums() {
		t.Errorf("%x and %+v, want %x and %+v", got, three.Sums(), want, two.Sums())
	}
	if got := two.MD5(); got != nil {
		t.Errorf("the MD5 %x is not wanted", got)
	}
}
