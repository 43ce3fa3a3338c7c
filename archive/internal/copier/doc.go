// Package copier copies the snapshots of an archive to another store, as they are or encrypted to others.
//
// # Where things are
//
//	copy         the steps of a copy
//	chain        whether a snapshot of the source is true
//	target       what the target has, and its commits
//	objects, fetch    send objects
//	reencrypt    makes snapshots with the same files in another archive
package copier
