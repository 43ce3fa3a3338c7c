package config

import (
	"slices"
	"testing"
)

// A shell completes the names while the operator still edits the file, and without the service's environment.
func TestNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":            nil,
		"archives: [": nil,
		"archives: 5": nil,
		"shedule: x\narchives:\n  - {name: orders, source: {dir: db}, destination: '${NOT_SET_HERE}'}\n" +
			"  - {name: 'not one', source: {dir: /db}, destination: file:///b}\n  - {source: {}}\n" +
			"  - {name: users, source: {dir: /db}, destinations: ['file:///c', 's3://b/c']}\n": {"orders", "users", "users.2"},
		string(Starter()): {"orders"},
	} {
		if got := Names([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: names %q, want %q", text, got, want)
		}
	}
}
