package cloud

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// If all requests fail, their retries together are bounded.
func TestBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(8)
		n := 0
		for b.Spend() == nil {
			n++
		}
		if n != budgetLeast+8*budgetPerTransfer {
			t.Errorf("%d attempts", n)
		}
		time.Sleep(budgetInterval)
		if err := b.Spend(); err != nil {
			t.Errorf("after %v: %v", budgetInterval, err)
		}
		if err := b.Spend(); !errors.Is(err, ErrBudget) {
			t.Errorf("%v", err)
		}
	})
}
