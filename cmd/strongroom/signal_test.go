package main

import (
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// The disk of an archive may hang, and an operation on it never return. A program that one SIGTERM does not end then
// keeps a shutdown, or the job that started it, waiting.
func TestProgramEndsAfterASignal(t *testing.T) {
	t.Parallel()
	for _, second := range []time.Duration{0, time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			signals := make(chan os.Signal, 2)
			started, stopped := time.Now(), false
			time.AfterFunc(time.Minute, func() { signals <- os.Interrupt })
			time.AfterFunc(time.Minute+second, func() { signals <- os.Interrupt })
			isStuck := waitForEnd(signals, func() {
				stopped = true
				if waited := time.Since(started); waited != time.Minute {
					t.Errorf("the command is stopped after %s", waited)
				}
			})
			waited := time.Since(started) - time.Minute
			if !stopped || isStuck != (second > stopLimit) || waited != min(second, stopLimit) {
				t.Errorf("second signal after %s: ended after %s, stuck: %t", second, waited, isStuck)
			}
			time.Sleep(2 * time.Hour) // until both signals have come
		})
	}
}
