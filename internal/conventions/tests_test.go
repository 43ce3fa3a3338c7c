package conventions_test

import (
	"regexp"
	"strings"
	"testing"
)

var (
	declared = regexp.MustCompile(`^func ((?:Test|Fuzz|Benchmark|Example)\w*)\(`)
	named    = regexp.MustCompile(`(-run )?\b((?:Test|Fuzz)[A-Z]\w*)(…)?`)
)

// A document states a promise and the test that holds it. A test that was renamed or removed leaves a promise
// that nothing holds. A name that ends in …, or follows -run, stands for all tests that begin with it.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	var all []string
	for _, name := range files(t, "_test.go") {
		for _, line := range lines(t, name) {
			if m := declared.FindStringSubmatch(line); m != nil {
				all = append(all, m[1])
			}
		}
	}
	exists := map[string]bool{}
	for _, name := range all {
		exists[name] = true
	}
	begins := func(prefix string) bool {
		for _, name := range all {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	}
	n := 0
	for _, from := range files(t, ".md") {
		if from == "CHANGELOG.md" {
			continue // it names tests as they were
		}
		for i, line := range lines(t, from) {
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				n++
				if isPrefix := m[1] != "" || m[3] != ""; !exists[m[2]] && (!isPrefix || !begins(m[2])) {
					t.Errorf("%s:%d names %s: there is no such test", from, i+1, m[0])
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("%d names of tests: the documents have more", n)
	}
}
