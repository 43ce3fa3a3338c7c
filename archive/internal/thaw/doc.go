// Package thaw finds out what a read must have thawed, requests that, and waits for it.
//
// # Where things are
//
//	thaw         thaws files and objects, and finds out which must be thawed
//	reads        the objects that the read of some files needs, with their storage classes
//	plan         what must be thawed, and how long that takes
//	limits       checks what is requested
//	wait         requests the thaw and waits for it
//	frozen       whether the first objects of an archive must be thawed
package thaw
