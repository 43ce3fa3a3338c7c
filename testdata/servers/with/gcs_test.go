package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// gcsScript writes a program that is started in place of fake-gcs-server.
func gcsScript(t *testing.T, script string) string {
	t.Helper()
	fake := filepath.Join(t.TempDir(), "fake-gcs-server")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return fake
}

func TestGCSThatEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s := &servers{dir: t.TempDir()}
	defer s.stop()
	err := s.startGCS(ctx, gcsScript(t, "echo no luck today\nexit 3\n"))
	if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "no luck today") || !strings.Contains(err.Error(), "fake-gcs-server at http") {
		t.Errorf("got %v, want %v and the end of the log", err, errEnded)
	}
	if len(s.extra) != 0 || len(s.extraEnv) != 0 {
		t.Errorf("it counts as running: %v", s.extraEnv)
	}
}

func TestGCSThatIsNotReady(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	s := &servers{dir: t.TempDir()}
	defer s.stop()
	err := s.startGCS(ctx, gcsScript(t, "echo let me think\nexec sleep 60\n"))
	if err == nil || !strings.Contains(err.Error(), "not ready in time") || !strings.Contains(err.Error(), "let me think") || len(s.extra) != 1 {
		t.Errorf("got %v, want that it is not ready, and the end of the log; %d to stop", err, len(s.extra))
	}
}

func TestNoGCS(t *testing.T) {
	s := &servers{dir: t.TempDir()}
	if err := s.startGCS(t.Context(), ""); err != nil || len(s.extra) != 0 {
		t.Errorf("%v, %d servers", err, len(s.extra))
	}
}

// What would lead a test to Google, or to another emulator, does not reach it.
func TestGoogleEnvironment(t *testing.T) {
	s := &servers{plain: &server{}, tls: &server{}, extraEnv: []string{"STRONGROOM_TEST_GCS=127.0.0.1:3"}}
	env := s.environment([]string{"STORAGE_EMULATOR_HOST=x", "GOOGLE_APPLICATION_CREDENTIALS=/key", "STRONGROOM_TEST_GCS=old"})
	for _, e := range env {
		if strings.HasPrefix(e, "STORAGE_") || strings.HasPrefix(e, "GOOGLE_") || e == "STRONGROOM_TEST_GCS=old" {
			t.Errorf("%s is still there", e)
		}
	}
	if !slices.Contains(env, "STRONGROOM_TEST_GCS=127.0.0.1:3") {
		t.Errorf("the emulator is missing in %q", env)
	}
}
