// Package guard compares a captured source with the archive that it should continue. It refuses a source that is
// foreign, ends before the archive does, has another history, or lacks files that the database should have.
//
// # Where things are
//
//	source       the type Source, which has what the guards compare
//	guard        the source has files, and reaches as far as the archive
//	accept       what an operator accepts, and warnings
//	foreign, recognize    whether it is the database of the archive
//	fork         whether it has the archive's history: compare and entries compare files, judge decides
//	vanished, data_dirs    files that are gone, and databases that deal their files to several directories
//	omit         reports what the set lacks
//	entrycheck   the result of the entry check, and the files that need one
//	tail         how far a tail was read
//	pressure     stops when the disk becomes full
package guard
