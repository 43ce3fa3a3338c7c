// Package conventions has tests of rules that the compiler does not check: which package may import which
// package, how wide lines are, which words documents, comments and messages use, whether links lead somewhere, and whether
// the tests exist that documents name.
package conventions
