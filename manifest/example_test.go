package manifest_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Read a manifest, and where the parts of its log files lie. One with pages names those in
// Pages: then PageCodec reads the entries.
func ExampleDecodeManifest() {
	key := manifest.ManifestKey(42)
	data, err := os.ReadFile(filepath.Join("..", "testdata", "golden", key))
	if err != nil {
		log.Fatal(err)
	}
	m, err := manifest.DecodeManifest(data, 42) // what is hostile or of a later format is refused
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key, "has", len(m.Files), "files")
	for _, f := range m.Files {
		for _, p := range f.Parts {
			k, ok := manifest.ParseObjectKey(p.Object)
			fmt.Println(f.Name, p.Size, "bytes, stored for snapshot", k.Sequence, ok)
		}
	}
	// Output:
	// manifests/000/000/042.json has 4 files
	// 0000002a.jdb 1000 bytes, stored for snapshot 41 true
	// 0000002b.jdb 5000 bytes, stored for snapshot 42 true
	// déjà vu/0000002c <1>.jdb 70000 bytes, stored for snapshot 42 true
	// déjà vu/0000002d.jdb 3000 bytes, stored for snapshot 41 true
	// déjà vu/0000002d.jdb 500 bytes, stored for snapshot 42 true
}
