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
// A file is named after the operation that it belongs to, then after the step:
//
//	backup_…     begin makes a new archive; plan.go, then scan, encode, upload, bundle, commit; guard, foreign, vanished,
//	             fork and hollow refuse a source; writer names the writer of a snapshot; omit reports what the set
//	             lacks; doubt is for a damaged ledger; data_dirs is for databases that deal their files to several
//	             directories; partial reads only changed pages of the base; rehearse is the end of a dry run
//	restore…     select, then internal/restoredir, which writes the directory; reads is what a dry run reports
//	rate         how fast restores and drills were; stats is the size and the growth of an archive; cost has the prices
//	verify_…     chain checks manifests, objects checks listings, data reads content back, needs collects what to
//	             check, named settles what records name, coverage picks samples, proof stores the record; problem.go and
//	             verify_report.go have the results
//	proof…       the verification records: damage collects what they name, settle finds out what of that is still so
//	repair_…     verify with Repair: ledger, object, sources, replace; renew stores encoded content again
//	prune_…      mark collects the keys of kept snapshots, sweep deletes the others; limit stops a prune that removes much
//	copy_…       chain, objects, staging, target
//	head…        what every operation reads first: archive.json, the ledger's record in force, the base snapshot;
//	             lost_id judges what is left without archive.json; blocked finds what is in the way of
//	             the next objects; reach passes over manifests with absurd numbers; emptied finds out whether an archive
//	             without a snapshot had one
//	ledger_…     the records that list the valid snapshots: read finds the one in force, view plans, append writes
//	object_…, file_read, bundle_read, pages…    reading what is stored; object_ranges reads a large object by several
//	             requests at a time, and object_slots counts them; pages_choose chooses the pages that can have a name
//	fold         names that differ in letter case only, for prune and verify
//	localstate…  what this host remembers, on top of internal/localstate
//	frozen       objects in a class from which they must be thawed, for verify, check and list
//	thaw…        plan finds out what must be thawed, limits checks what is requested and how long it takes, wait requests
//	             it and waits; restore does so before and while it reads
//	overlap      whether a source, a target or a copy is apart from the archive's directory
//	nested…      archives within archives; below lists those below an address
//	selector     which snapshot a number or a time names; older names another one if that cannot be read;
//	             snapshot_select finds and reads it
//	confirm, hold, list, cat, diff, archived, drill, pending     one operation each
//
// A hollow snapshot is one that lost most of its content with nothing new; a retention does not count it. Tests of the
// model of concurrent operations are in protocol.
package archive
