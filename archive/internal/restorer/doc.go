// Package restorer restores snapshots: to a directory, to a writer, and in drills. Package restoredir writes the
// directory.
//
// # Where things are
//
//	restore      a restore to a directory
//	restore_thaw thaws before and while a restore reads
//	target       the directory: its space, and what it has
//	reads        what a dry run reports
//	thaw         thaws a snapshot
//	cat          one file to a writer
//	drill        a restore that tests a snapshot
//	rate         how fast restores and drills were
package restorer
