// Package archive keeps the history of a database's log files in a store. It makes snapshots, lists them, restores
// them, and verifies that they are complete. It depends on no provider, configuration or terminal. A store.Store holds
// the objects, a Source supplies the log files, and package manifest defines the format of what is stored.
//
//	a := archive.New(store, archive.Options{})
//	res, err := a.Backup(ctx, src, archive.BackupOptions{Node: "db-1", Tool: "mine 1.0"})
//	…
//	m, err := a.Snapshot(ctx, archive.Selector{}) // the newest
//	_, err = a.Restore(ctx, m, "/var/lib/restored", archive.RestoreOptions{})
//
// Data flows in one direction, and each stage passes a plain value to the next. A backup captures the closed files and
// plans against the newest manifest (MakePlan). It reads each new file once to compute its checksums and to check its
// log entries. It puts the content with these checksums, which the provider verifies, and commits one manifest. A
// restore selects a snapshot, fetches and checks its files, and only then gives each file its name.
//
// There are no locks between writers. Objects are immutable and created at most once. So exactly one of two writers
// that aim at the same sequence number succeeds; the other captures and plans again. A snapshot exists when its
// manifest does. The objects of an interrupted run bear the number that it aimed at. The next run aims at the same
// number and adopts the objects that it can check.
//
// # Where things are
//
// This package has what a user of the library sees. Package values has the fields of its options, reports and errors.
// The packages below archive/internal do the work, and each maps its own files. They import each other in
// one direction, from the last of these lines to the first:
//
//	objects            reads and puts objects
//	scan, thaw, nested, findings    the files of a source; thaws; archives within archives; verification records
//	repo               the state of an archive: head, ledger, snapshots and pages
//	snapshots, staging finds and lists snapshots; holds objects in transit
//	guard              refuses a source that does not continue the archive
//	archiver           Backup, Pending, Preflight
//	restorer, pruner   Restore, Thaw, Cat, Drill; Prune
//	copier, checker    Copy, Reencrypt; Verify with Repair
//
// Beside them are localstate, what this host remembers; restoredir, the directory that a restore writes; and bufcopy.
// Package cost has the prices, retention the rules of a prune, encoding compression and encryption.
//
// A hollow snapshot is one that lost most of its content with nothing new; a retention does not count it. Tests of the
// model of concurrent operations are in protocol.
package archive
