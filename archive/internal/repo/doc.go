// Package repo has the state of an archive as values: the head, which each operation reads first, the view of the ledger
// from which a record is planned, and the snapshots with their pages. It decides which manifests and records count, and
// adds records. It has no code of single operations.
//
// # Where things are
//
//	repo         the type Repo, which the operations begin with; creates a manifest or a record, unless another writer was
//	             first
//	head         archive.json, the ledger's record in force, the base snapshot
//	lost_id      judges what is left without archive.json
//	emptied      whether an archive without a snapshot had one
//	blocked      what is in the way of the next objects
//	reach        passes over manifests with absurd numbers
//	ledger_…     the records that list the valid snapshots: read finds the one in force, view plans, append writes;
//	             missing and crosscheck find manifests that are gone or differ
//	numbers      numbered keys, the newest first
//	snapshot, pages, patterns    reads a snapshot, with those pages that an operation needs
//	memory       what one operation of a process leaves to the next
//	localstate   what this host remembers of the archive
//	overlap      whether a source, a target or a copy is apart from the archive's directory
package repo
