// Package house holds the tests of what the compiler does not check: which package may import
// which, how wide lines are, and which words documents, comments and messages use.
package house
