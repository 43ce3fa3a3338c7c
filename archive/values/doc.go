// Package values has the plain values that the operations of package archive take and return: their options, reports
// and errors. Package archive has all of them under the same names; this package has their fields. It is a package of
// its own because the operations are in packages below archive/internal, which package archive imports.
//
// # Where things are
//
//	errors       the errors that operations return
//	backup       the options, the plan and the result of a backup; the files that wait for one
//	confirm      how an operator accepts what a guard found
//	restore, thaw    what a restore reads, and what must be thawed for it
//	verify, problem  what a verify found
//	prune, copy  the options and reports of these two
//	snapshot     what listings show: snapshots, and archives within and below an address
//	selector     which snapshot a number or a time names
//	diff         what changed from one snapshot to another
//	progress     what an operation has done so far, and the limit that several archives share
package values
