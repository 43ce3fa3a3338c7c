package advice_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/advice"
	"github.com/strongroom-dev/strongroom/store"
)

// Errors of the archive name no command: the command line and the service do, or an operator would not find the
// remedy.
func TestRemedies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("opening it: %w", archive.ErrNoIdentity), "--identity"},
		{fmt.Errorf("repair it or forget snapshot 3: %w", archive.ErrDamaged), "prune --forget"},
		{&archive.UnreadableError{Sequence: 6, Older: 5, Err: archive.ErrDamaged}, "--snapshot 5"},
		{fmt.Errorf("a repair writes a new one: %w", archive.ErrDamaged), "verify --repair"},
		{&archive.FrozenError{Plan: archive.ThawPlan{Objects: 1, Thawing: 1}}, "--thaw=TIER"},
		{fmt.Errorf("it wrote over archive.json: %w", store.ErrWeakStore), "strongroom check"},
	} {
		added := advice.Add(fmt.Errorf("orders: %w", c.err))
		if !strings.Contains(added.Error(), c.want) || !errors.Is(added, c.err) {
			t.Errorf("%v has no %q", added, c.want)
		}
	}
	other := errors.New("connection refused")
	if advice.Add(other) != other || advice.Add(nil) != nil {
		t.Error("an error without a remedy was changed")
	}
}
