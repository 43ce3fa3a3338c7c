package store

import "strings"

// ProbePrefix is where Probe makes its objects. They are no part of an archive: whatever
// a probe leaves behind, because it may not delete, anybody may remove at any time.
const ProbePrefix = "probe/"

// What a probe puts under these names, below a directory of its own, a store that has a
// setting for it treats as it will treat an archive's objects: ProbeRetained is locked, and
// ProbeContent is stored as data is. The others are not, so that they can be deleted.
const (
	ProbeRetained = "locked"
	ProbeContent  = "content"
)

// ProbesLock reports whether an object below ProbePrefix is to show what locks do.
func ProbesLock(key string) bool { return probeSet(key, ProbeRetained) }

// ProbesContent reports whether an object below ProbePrefix is to be stored as data is.
func ProbesContent(key string) bool { return probeSet(key, ProbeContent) }

func probeSet(key, name string) bool {
	return strings.HasPrefix(key, ProbePrefix) && strings.HasSuffix(key, "/"+name)
}
