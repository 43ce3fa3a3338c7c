// Package archiver makes snapshots.
//
// # Where things are
//
//	backup, steps    the attempts of a backup, and the steps of one
//	begin, guarantees    makes a new archive, checks its store before, and finds what is in the way of a snapshot
//	doubt        a damaged ledger
//	partial, partial_guard    reads only changed pages of the base
//	resume       adopts what an interrupted run has stored
//	upload, bundle, encode, location    store content: large files, small ones, encoded, and where
//	commit, lock, writer    store pages and the manifest
//	remember     what later backups need of a snapshot
//	rehearse, preflight, pending    the end of a dry run, and what is reported without a backup
package archiver
