package localstate

import (
	"maps"
	"os"
	"slices"
	"testing"
)

// Two processes note what they read. Neither loses the other's notes on parts, which would be read again, and a file that
// cannot be read costs the notes alone.
func TestProofNotes(t *testing.T) {
	t.Parallel()
	s := &State{Dir: t.TempDir()}
	if n, err := s.LoadProofNotes("id"); err != nil || len(n.Clean)+len(n.Read) > 0 {
		t.Fatalf("%+v, %v", n, err)
	}
	for _, n := range []ProofNotes{
		{Clean: []string{"p1"}, Read: map[string]string{"a": "p1", "b": "p1"}},
		{Clean: []string{"p2"}, Read: map[string]string{"a": "p2"}},
	} {
		if err := s.SaveProofNotes("id", n); err != nil {
			t.Fatal(err)
		}
	}
	n, err := s.LoadProofNotes("id")
	if err != nil || !slices.Equal(n.Clean, []string{"p2"}) || !maps.Equal(n.Read, map[string]string{"a": "p2", "b": "p1"}) {
		t.Fatalf("%+v, %v", n, err)
	}
	if err := os.WriteFile(s.proofsPath("id"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := s.LoadProofNotes("id"); err == nil {
		t.Fatalf("%+v", n)
	}
	if err := s.SaveProofNotes("id", n); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LoadProofNotes("id"); err != nil {
		t.Fatal(err)
	}
}
