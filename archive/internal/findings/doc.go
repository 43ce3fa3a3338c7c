// Package findings has the verification records of an archive, and decides what of that which they name as damaged is
// damaged still.
//
// # Where things are
//
//	findings     the type Findings
//	records      reads and stores the records
//	damage       what all of them name
//	settle       finds out what of that is still so
package findings
