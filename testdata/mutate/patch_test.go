package main

import "testing"

// A patch that no longer fits stops make mutate, and one that fits elsewhere finds another fault
// than it names. A change of the code has to show that at once, and change the patch.
func TestEveryPatchFitsTheCode(t *testing.T) {
	t.Chdir("../..")
	all, err := patches("testdata/mutations")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no patches")
	}
	tr := &trial{tree: ".", src: map[string][]byte{}}
	for i := range all {
		if err := tr.variantsOf(t.Context(), i+1, &all[i], map[string][]variant{}); err != nil {
			t.Errorf("%s: %v", all[i].Name, err)
		}
	}
}

// The file of equivalent mutations may name one that no longer exists. That would hide nothing, but
// make mutate stops at it.
func TestEquivalentMutationsExist(t *testing.T) {
	t.Chdir("../..")
	drawn, err := draw(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := withoutEquivalent(drawn, "testdata/mutations/equivalent.txt"); err != nil {
		t.Error(err)
	}
}
