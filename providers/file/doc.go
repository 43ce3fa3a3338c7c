// Package file stores archives in directories. Put writes a temporary file, syncs it, links it into
// place, which fails if the name is taken, and syncs the directories. A directory is held open from
// the first operation on, so that an unmounted disk ends a run.
package file
