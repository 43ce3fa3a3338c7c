package cloud

import (
	"slices"
	"testing"
)

// The conformance suite lists with small pages. If the requests asked for whole pages all the same, no test would list
// several pages.
func TestWithPages(t *testing.T) {
	t.Parallel()
	d := &pagesDriver{pages: []fixedPage{{keys: "p/a", next: "1"}, {keys: "p/b"}}}
	keys, err := collect(WithPages(t.Context(), 7), listerOf(d), "", "", "")
	if err != nil || !slices.Equal(keys, []string{"a", "b"}) || !slices.Equal(d.sizes, []int{7, 7}) {
		t.Errorf("%q from requests for %d objects: %v", keys, d.sizes, err)
	}
}
