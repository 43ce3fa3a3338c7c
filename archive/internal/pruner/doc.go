// Package pruner deletes what no kept snapshot names.
//
// # Where things are
//
//	prune        plans which snapshots stay, and commits the plan
//	limit        stops a prune that removes much
//	hollow       snapshots that a retention does not count
//	mark         collects the keys of kept snapshots
//	scan, sweep  list and delete the others
//	proofs       verification records
//	nested       archives within this one; they lose nothing
package pruner
