// Package archive keeps the history of a database's log files in a store: it makes
// snapshots, lists them, restores them, and proves that they are whole. It knows no
// cloud, no configuration and no terminal; a Store is where objects lie, a Source is
// where log files come from, and the format of both sides' values is package manifest's.
//
//	a := archive.New(store, archive.Options{})
//	res, err := a.Backup(ctx, src, archive.BackupOptions{Node: "db-1", Tool: "mine 1.0"})
//	…
//	m, err := a.Snapshot(ctx, archive.Selector{}) // the newest
//	_, err = a.Restore(ctx, m, "/var/lib/restored", archive.RestoreOptions{})
//
// Data flows one way, and every stage hands the next a plain value. A backup captures
// what is closed, plans against the newest manifest (MakePlan), reads each new file once
// to learn its checksums and to check its log entries, puts it with those as a promise that the provider checks, and
// commits one manifest. A restore chooses a snapshot, fetches, checks, and only then gives
// a file its name.
//
// Nothing is locked. Objects are immutable and created at most once, so that of two
// archivers that aim at one sequence number exactly one wins; the other captures and
// plans again. A snapshot exists when its manifest does. What a broken-off run has stored
// bears the number that it aimed at; the next run aims at the same and adopts what it can check.
package archive
