// Package nested finds archives within, below and around an archive.
//
// # Where things are
//
//	nested       finds the nested archives in a listing
//	root         whether an archive begins at a prefix
//	search       searches near the archive, and around it
//	below        archives below an address that is none itself
//	tally        counts an archive's own objects in the first page of a listing
package nested
