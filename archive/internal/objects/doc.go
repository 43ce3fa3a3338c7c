// Package objects reads and puts the objects of an archive. It has no code of the ledger or of snapshots: the callers
// name the objects and what these must contain.
//
// # Where things are
//
//	objects      the type Objects, which all other packages begin with
//	read, read_resume    an object as a whole, and a range of one that continues after a broken connection
//	ranges, slots        a large object by several requests at a time, and how many there may be
//	file_read, bundle_read   the content of log files, and of several in one bundle
//	decrypt      whether the identities open what is to be read
//	compare      whether an object is what was promised
//	place        stores an object that must not replace another one, under one key or the next
//	again        starts an operation over, after a pause, because another writer was first
//	list         the first page of a listing, and listings in any order
//	durable      syncing what an operation relies on
//	orphans      objects that an interrupted run left
//	cold         storage classes in which a read is refused
//	fold, names, each, progress    letter case, a few names of many, a few calls at once, and counting what is done
package objects
