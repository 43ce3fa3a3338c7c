// Package archiver makes snapshots.
//
// # Where things are
//
//	backup       the attempts of a backup, and the steps of one
//	begin, guarantees    makes a new archive, and checks its store before
//	blocked, doubt    what is in the way of a snapshot, and a damaged ledger
//	partial, partial_guard    reads only changed pages of the base
//	resume       adopts what an interrupted run has stored
//	upload, bundle, encode, location    store content: large files, small ones, encoded, and where
//	commit, lock, writer    store pages and the manifest
//	remember     what later backups need of a snapshot
//	rehearse, preflight, pending    the end of a dry run, and what is reported without a backup
package archiver
