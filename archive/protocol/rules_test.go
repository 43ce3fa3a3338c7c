package protocol

// rules are the protective ones. All of them hold in the protocol. A mutation switches one off, and
// the checker must find the fault that the rule prevents.
type rules struct {
	// Of format.md.
	numbersInKeys   bool // an object bears the number that it was stored for
	createOnly      bool // nothing is overwritten
	reuseNewestOnly bool // a backup keeps only what the newest manifest names, not an older one's
	replan          bool // a backup that lost the race for its number plans again
	checkCommit     bool // after its commit, a backup checks that the ledger has not dropped its number
	newestKept      bool // a prune always keeps the newest
	sparesHigher    bool // a prune deletes no object with a number above the newest
	recordFirst     bool // a prune deletes only after its record is written
	replanRecord    bool // the loser of the race for a record's number plans again
	checkRecord     bool // after writing a record: is it the greatest, or the parent of what followed?

	// From the package comment, which is more exact.
	recordReread    bool // after reading a record: is it still the greatest?
	ledgerAfter     bool // a list is filtered by a ledger read after the manifests
	copyJudgesAfter bool // a copy checks a manifest by a ledger read after it
	copyChecks      bool // a copy reads the target's ledger after its commit
	ledgerBefore    bool // a plan reads the ledger before the manifests
	reuseBelowOnly  bool // a backup that does not aim at its base's number plus one keeps nothing
	readsAllKept    bool // a prune deletes nothing unless it can read each kept manifest
	needsHash       bool // a prune or hold stops at a manifest that it cannot read and no record names
	namesOnlyValid  bool // a repair names no manifest that the ledger has dropped
	namesFirst      bool // a repair records the newest manifest's hash before it deletes its rest

	// Against an attacker who creates objects.
	farIsNothing bool // a manifest far above all that can be read counts for nothing, and the next record excludes it
	doubtRefuses bool // a prune or hold stops if the record after the greatest cannot be read

	deletesWhatWasRead bool // a repair's delete removes only what the repair has read
}

// protocol returns the rules of the package comment.
func protocol() rules {
	return rules{
		numbersInKeys: true, createOnly: true, reuseNewestOnly: true, replan: true, checkCommit: true,
		newestKept: true, sparesHigher: true, recordFirst: true, replanRecord: true, checkRecord: true,
		recordReread: true, ledgerAfter: true, copyJudgesAfter: true, copyChecks: true, ledgerBefore: true,
		reuseBelowOnly: true, readsAllKept: true, needsHash: true, namesOnlyValid: true, namesFirst: true,
		farIsNothing: true, doubtRefuses: true,
		deletesWhatWasRead: true,
	}
}
