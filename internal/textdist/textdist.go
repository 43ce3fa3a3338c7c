// Package textdist finds the word that a mistyped one stands for.
package textdist

import "strings"

// Nearest returns the candidate with the fewest typing mistakes between it and s. It returns false if no
// candidate is near enough. Candidates must be in lower case; s may have any case.
func Nearest(s string, candidates []string) (string, bool) {
	best, found := max(2, len(s)/2)+1, ""
	for _, c := range candidates {
		// More edits than half of the word are another word, not a mistyped one.
		if n := distance(strings.ToLower(s), c); n < best && n <= max(2, len(c)/2) {
			best, found = n, c
		}
	}
	return found, found != ""
}

// distance returns the number of letters to insert, delete, replace or swap with their neighbour (each
// letter once) to change a into b. For a longer than 64 bytes it returns the length of a.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	var older []int
	newer := make([]int, len(b)+1)
	for j := range newer {
		newer[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(newer[j]+1, row[j-1]+1, newer[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, newer = newer, row
	}
	return newer[len(b)]
}
