package cloud

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// A listing of any size is sorted with few objects in memory, and nothing of an object is lost on the way to the disk.
func TestSorter(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 10, 11, 20, 257} {
		dir := filepath.Join(t.TempDir(), "not", "there", "yet")
		s := &sorter{scratch: dir, most: 10}
		var want []store.Object
		for i := range n {
			crc := manifest.CRC32C(i + 1)
			o := store.Object{Key: fmt.Sprintf("data/%03d", i), Size: int64(i), Modified: time.Unix(int64(i), 5).UTC(), CRC32C: &crc, Version: "v"}
			if i%7 == 0 {
				o = store.Object{Key: o.Key + "/", IsDir: true}
			}
			want = append(want, o)
		}
		shuffled := slices.Clone(want)
		rand.Shuffle(n, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for page := range slices.Chunk(shuffled, 3) {
			if err := s.add(page); err != nil {
				t.Fatal(err)
			}
			if len(s.memory) > 10 {
				t.Fatalf("%d objects in memory", len(s.memory))
			}
		}
		var got []store.Object
		for o, err := range s.all() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d objects: %+v", n, got)
		}
		s.close()
		if left, err := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%d objects: %v remain, %v", n, left, err)
		}
	}
}

// Without a scratch directory, memory has a limit, and the error names what is missing.
func TestSorterWithoutScratch(t *testing.T) {
	t.Parallel()
	s := &sorter{most: 2}
	if err := s.add(make([]store.Object, 2)); err != nil {
		t.Fatal(err)
	}
	if err := s.add(make([]store.Object, 1)); !errors.Is(err, store.ErrUnordered) {
		t.Errorf("%v", err)
	}
	s = &sorter{most: 2, scratch: filepath.Join(os.DevNull, "no directory")}
	if err := s.add(make([]store.Object, 3)); err == nil {
		t.Error("a scratch directory that cannot be made is no error")
	}
}
