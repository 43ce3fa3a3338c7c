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
// Each operation stands on the packages below archive/internal, whose own documentation maps their files: objects,
// then scan, thaw, nested and findings, then repo, which is the state of an archive, then snapshots. Package values has
// what operations take and return. A file here is named after the operation that it belongs to, then after the step:
//
//	front        what other packages do: types, errors, listings
//	backup_…     begin makes a new archive; encode, upload, bundle, commit; guard, foreign, vanished, fork refuse a
//	             source; writer names the writer of a snapshot; omit reports what the set lacks; doubt is for a damaged
//	             ledger; data_dirs is for databases that deal their files to several directories; partial reads only
//	             changed pages of the base; rehearse is the end of a dry run
//	restore…     select, then internal/restoredir, which writes the directory; reads is what a dry run reports
//	rate         how fast restores and drills were; stats is the size and the growth of an archive; cost has the prices
//	verify_…     chain checks manifests, objects checks listings, data reads content back, needs collects what to
//	             check, named settles what records name, coverage picks samples, proof stores the record
//	repair_…     verify with Repair: ledger, object, sources, replace; renew stores encoded content again
//	prune_…      mark collects the keys of kept snapshots, sweep deletes the others; limit stops a prune that removes much
//	copy_…       chain, objects, staging, target
//	confirm, cat, drill, pending     one operation each
//
// A hollow snapshot is one that lost most of its content with nothing new; a retention does not count it. Tests of the
// model of concurrent operations are in protocol.
package archive
