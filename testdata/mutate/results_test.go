package main

import (
	"path/filepath"
	"testing"
)

// A result of other code or of other tests must not count: a survivor would stay one although a
// test finds it now, and a fault in new code would count as found.
func TestOldResultsAreNotBelieved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "results.jsonl")
	m := &mutation{Name: "a mutation", Hash: "code"}
	for _, c := range []struct {
		was        outcome
		hash, tree string
		want       outcome
	}{
		{killed, "code", "tests", killed},
		{killed, "code", "other tests", killed},
		{killed, "other code", "tests", ""},
		{survived, "code", "tests", survived},
		{survived, "code", "other tests", ""},
		{late, "code", "tests", ""},
		{invalid, "code", "other tests", invalid},
		{invalid, "other code", "tests", ""},
	} {
		for _, tree := range []string{c.tree, "tests"} { // it is noted, and then read again
			r, err := openResults(path, tree)
			if err != nil {
				t.Fatal(err)
			}
			if tree == c.tree {
				noted := *m
				noted.Hash = c.hash
				if err := r.add(&noted, c.was); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.of(m); tree == "tests" && got != c.want {
				t.Errorf("%s with %s and %s: %q, want %q", c.was, c.hash, c.tree, got, c.want)
			}
			r.close()
		}
	}
}
