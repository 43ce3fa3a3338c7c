package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// toxiproxyScript writes a program that is started in place of toxiproxy.
func toxiproxyScript(t *testing.T, script string) string {
	t.Helper()
	fake := filepath.Join(t.TempDir(), "toxiproxy")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return fake
}

func TestToxiproxyThatEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s := &servers{dir: t.TempDir()}
	defer s.stop()
	err := s.startToxiproxy(ctx, toxiproxyScript(t, "echo no luck today\nexit 3\n"))
	if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "no luck today") || !strings.Contains(err.Error(), "toxiproxy at http") {
		t.Errorf("got %v, want %v and the end of the log", err, errEnded)
	}
	if len(s.extra) != 0 || len(s.extraEnv) != 0 {
		t.Errorf("it counts as running: %v", s.extraEnv)
	}
}

func TestToxiproxyThatIsNotReady(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	s := &servers{dir: t.TempDir()}
	defer s.stop()
	err := s.startToxiproxy(ctx, toxiproxyScript(t, "echo let me think\nexec sleep 60\n"))
	if err == nil || !strings.Contains(err.Error(), "not ready in time") || !strings.Contains(err.Error(), "let me think") || len(s.extra) != 1 {
		t.Errorf("got %v, want that it is not ready, and the end of the log; %d to stop", err, len(s.extra))
	}
}

func TestNoToxiproxy(t *testing.T) {
	s := &servers{dir: t.TempDir()}
	if err := s.startToxiproxy(t.Context(), ""); err != nil || len(s.extra) != 0 {
		t.Errorf("%v, %d servers", err, len(s.extra))
	}
	if err := s.startToxiproxy(t.Context(), "/does/not/exist"); err == nil || !strings.Contains(err.Error(), "make toxiproxy") {
		t.Errorf("%v", err)
	}
}
