// Package conventions has tests of rules that the compiler does not check: which package may import which
// package, how wide lines are, and which words documents, comments and messages use.
package conventions
