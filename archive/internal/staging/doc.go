// Package staging holds objects in transit from one archive to another, and reads a snapshot as the source of a backup.
//
// # Where things are
//
//	staging      the memory and the scratch files for objects in transit
//	source       a snapshot as the source of a backup of another archive
package staging
