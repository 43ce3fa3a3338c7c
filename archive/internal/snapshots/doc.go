// Package snapshots finds, lists and holds the snapshots of an archive.
//
// # Where things are
//
//	list         lists snapshots
//	select, older    the snapshot that a number or a time names, and an older one if that cannot be read
//	archived     whether local files are in a snapshot
//	below        the archives below an address
//	hold         protects a snapshot from retentions
package snapshots
