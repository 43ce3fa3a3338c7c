//go:build linux

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestChosenWorkloads(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]string{
		"A":       "A",
		"D":       "C",
		"F":       "A A½ B C",
		"G,H":     "A H",
		"C@20ms":  "C@20ms",
		"L,A@1G":  "L A@1G",
		"E′,E,A½": "A½ E E′",
	} {
		got, err := chosen(workloads(true), names)
		if err != nil {
			t.Errorf("%s: %v", names, err)
		}
		var all []string
		for _, w := range got {
			all = append(all, w.name)
		}
		if strings.Join(all, " ") != want {
			t.Errorf("%s chooses %v, want %s", names, all, want)
		}
	}
	if _, err := chosen(workloads(false), "A,X"); err == nil || !strings.Contains(err.Error(), `"X"`) {
		t.Errorf("got %v, want the name that does not exist", err)
	}
}

// A row of the table is found by its step's name, so two steps of one scale must not have the same one.
func TestStepsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	for _, small := range []bool{true, false} {
		var names []string
		for _, w := range workloads(small) {
			for _, s := range w.steps {
				if slices.Contains(names, s.name) {
					t.Errorf("two steps have the name %q", s.name)
				}
				names = append(names, s.name)
			}
		}
		for _, target := range targets() {
			if !slices.ContainsFunc(names, target.matches) {
				t.Errorf("the target at %q matches no step", target.step)
			}
		}
	}
}
