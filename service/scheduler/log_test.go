package scheduler

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Users' scripts and alerts depend on the attributes of a run's line.
func TestLogLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		f := &fake{t: t, takes: func(int) time.Duration { return 1500 * time.Millisecond }}
		s := New(Options{Log: book.logger()}, []Job{f.job("orders", "@hourly", time.UTC)})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour-1)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		lines := book.lines(t)
		if len(lines) != 2 {
			t.Fatalf("%d lines: %v", len(lines), lines)
		}
		want := map[string]any{"level": "INFO", "archive": "orders", "snapshot": 2., "files": 2., "bytes": 300., "ms": 1500.}
		for k, v := range want {
			if lines[1][k] != v {
				t.Errorf("%s is %v, not %v", k, lines[1][k], v)
			}
		}
		st := s.Status()
		if st.Files != 4 || st.Bytes != 600 || st.Milliseconds != 3000 || st.Jobs[0].Snapshot != 2 || st.Jobs[0].Total.Made != 2 {
			t.Errorf("status %+v", st)
		}
	})
}

func TestLogFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		f := &fake{t: t, comes: func(n int) error {
			if n == 1 {
				panic("boom")
			}
			return errBroken
		}}
		s := New(Options{Log: book.logger()}, []Job{f.job("orders", "@yearly", time.UTC)})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		starts, lines := f.starts(), book.lines(t)
		if len(lines) != len(starts) || len(lines) < 3 {
			t.Fatalf("%d runs, %d lines: %v", len(starts), len(lines), lines)
		}
		for i, line := range lines[:2] {
			next, err := time.Parse(time.RFC3339Nano, line["next"].(string))
			if err != nil || !next.Equal(starts[i+1]) {
				t.Errorf("line %d: the next run was announced for %v, and was at %v (%v)", i, next, starts[i+1], err)
			}
			if line["attempt"] != float64(i+1) || line["level"] != "ERROR" {
				t.Errorf("line %d: %v", i, line)
			}
		}
		if e := lines[0]["error"]; e != errBroken.Error() || lines[0]["stack"] != nil {
			t.Errorf("line 0: %v", lines[0])
		}
		e, _ := lines[1]["error"].(string)
		stack, _ := lines[1]["stack"].(string)
		if !strings.Contains(e, "boom") || strings.Contains(e, "goroutine") || !strings.Contains(stack, "TestLogFailure") {
			t.Errorf("line 1: %v", lines[1])
		}
	})
}

func TestLogStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var book logbook
		f := &fake{t: t, takes: func(int) time.Duration { return time.Hour }}
		s := New(Options{Log: book.logger()}, []Job{f.job("orders", "@yearly", time.UTC)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if lines := book.lines(t); len(lines) != 1 || lines[0]["level"] != "INFO" || lines[0]["error"] == nil {
			t.Errorf("lines %v", lines)
		}
	})
}
