// Package scan reads the files of a source and compares them with the entries of the parent snapshot.
//
// # Where things are
//
//	plan         what a backup would do, judged by names, sizes and times
//	scan         one read of a log file for its checksums and the entry check
//	tail, tail_before    how far a tail was read, and what the parent snapshot has of it
//	entrycheck   what the entry check of two versions of a file shows
package scan
