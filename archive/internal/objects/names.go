package objects

import (
	"fmt"
	"slices"
	"strings"
)

// maxNamed is how many keys a message names.
const maxNamed = 10

// NameSome names the first few of some keys.
func NameSome(keys []string) string {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	named := strings.Join(keys[:min(len(keys), maxNamed)], ", ")
	if more := len(keys) - maxNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return named
}
