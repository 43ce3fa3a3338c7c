// Package checker verifies archives and repairs them. A repair works on the findings of the verify that it follows.
//
// # Where things are
//
//	options      the options
//	verify       the passes of a verify
//	chain        checks manifests
//	needs        collects what to check, and settles what earlier records name
//	objects      checks listings
//	data, frozen reads content back, and thaws it
//	coverage     picks samples
//	proof        stores the verification record
//	repair       finds the bytes of damaged objects; sources has other archives, object and parents put one back,
//	             replace deletes a damaged one, ledger is for records, renew stores encoded content again, keep and stop
//	             end a repair
package checker
