package store

import "strings"

// ProbePrefix is the prefix of Probe's objects. They are not part of an archive: objects that a probe cannot delete
// may be removed at any time.
const ProbePrefix = "probe/"

// The names of probe objects to which a store applies its settings for an archive's objects. ProbeRetained is
// locked if the store locks, and ProbeContent is stored like data. The other probe objects have no such settings,
// so that they can be deleted. ProbeWrong is put with a wrong checksum, so that it exists only if that is not compared.
const (
	ProbeRetained = "locked"
	ProbeContent  = "content"
	ProbeWrong    = "wrong"
)

// ProbesLock reports whether key is that of a probe object that tests locks.
func ProbesLock(key string) bool { return probeSet(key, ProbeRetained) }

// ProbesContent reports whether key is that of a probe object that is stored like data.
func ProbesContent(key string) bool { return probeSet(key, ProbeContent) }

func probeSet(key, name string) bool {
	return strings.HasPrefix(key, ProbePrefix) && strings.HasSuffix(key, "/"+name)
}
