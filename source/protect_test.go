package source

import (
	"errors"
	"slices"
	"testing"
)

func TestProtected(t *testing.T) {
	t.Parallel()
	var protected []string
	refuse := errors.New("not now")
	var answer error
	p := &Protected{Directory: newDir(t, LayoutOptions{Name: "bdb"}, "log.0000000001", "log.0000000002", "log.0000000003"), Protect: func(names []string) (func(), error) {
		protected = slices.Clone(names)
		return func() { protected = nil }, answer
	}}
	c, err := p.Capture(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"log.0000000001", "log.0000000002"}; !slices.Equal(protected, want) {
		t.Errorf("protected are %q, not %q", protected, want)
	}
	for range 2 {
		if err := c.Close(); err != nil || protected != nil {
			t.Errorf("after the end protected are %q, %v", protected, err)
		}
		protected = nil
	}
	answer = refuse
	if _, err := p.Capture(t.Context(), nil); !errors.Is(err, refuse) {
		t.Errorf("%v", err)
	}
}
