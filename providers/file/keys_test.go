package file

import (
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

func FuzzFileNames(f *testing.F) {
	for _, s := range []string{"a/b", "~", "a//b", ".", "a/..", ".~strongroom/x", "ä\x00", "a~2fb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		path := pathOf(key)
		if cloud.CheckKey(key) == nil && path != key {
			t.Errorf("the key %q is not its own path: %q", key, path)
		}
		segments := strings.Split(path, "/")
		for i, s := range segments {
			k, ok := keyOf(s)
			if !ok || s == "" || s == "." || s == ".." || s == hidden {
				t.Fatalf("key %q has the path %q", key, path)
			}
			segments[i] = k
		}
		if back := strings.Join(segments, "/"); back != key {
			t.Errorf("key %q has the path %q, which is the key %q", key, path, back)
		}
	})
}
