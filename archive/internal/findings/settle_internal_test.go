package findings

import (
	"testing"
)

// What was read back counts for its object, also in a bundle, and also if a file's name has an @.
func TestReadBack(t *testing.T) {
	t.Parallel()
	l := &DamageLog{read: map[string]string{"data/a": "r1", "bundles/b@512": "r2", "data/c@d/e": "r3"}}
	done := l.readBack()
	for _, want := range [][2]string{{"data/a", "r1"}, {"bundles/b", "r2"}, {"data/c@d/e", "r3"}} {
		if !done[want] {
			t.Errorf("%q does not count", want)
		}
	}
	for _, other := range [][2]string{{"data/a", "r2"}, {"bundles/b", "r1"}, {"data/x", "r1"}} {
		if done[other] {
			t.Errorf("%q counts", other)
		}
	}
}
