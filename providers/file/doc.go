// Package file stores archives in directories. Put writes a temporary file, syncs it, links it to its final
// name, which fails if the name exists, and syncs the directories. A store keeps its directory open from the
// first operation on, so that it detects an unmounted disk.
package file
