package main

import (
	"cmp"
	"runtime/debug"
	"sync"
)

// version is set by the linker for a release, such as to v0.1.0.
var version string

// unversioned is the version of a program that was built from a directory, without one.
const unversioned = "devel"

// programVersion returns the version of the program. Without the linker's, it is that of the module, which go install
// records.
var programVersion = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(version, info)
})

// versionOf returns the version that the linker set or, without one, that of the build information; nil has none.
func versionOf(linked string, info *debug.BuildInfo) string {
	if info == nil || info.Main.Version == "(devel)" {
		return cmp.Or(linked, unversioned)
	}
	return cmp.Or(linked, info.Main.Version, unversioned)
}
