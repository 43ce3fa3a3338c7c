package config

import (
	"os"
	"path/filepath"
)

// Names returns the names of the archives in the content of a configuration file. The file may have mistakes, or name
// variables that are not set: Names then returns the names that it finds. It uses neither the disk nor the network.
func Names(data []byte) []string {
	var names []string
	for _, a := range newDecoder("", data, os.LookupEnv, filepath.Clean).decode(data).Archives {
		if a.Name != "" {
			names = append(names, a.Name)
		}
	}
	return names
}
