package digest

import "testing"

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
