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

// extras calls a test for each server that runs beside MinIO.
func extras(t *testing.T, test func(t *testing.T, e extra)) {
	for _, e := range []extra{emulatedAzure(), fakeGCS(), toxiproxy(), versityGW("user", "secret"), rclone("user", "secret"), seaweedFS("user", "secret")} {
		t.Run(e.name, func(t *testing.T) { test(t, e) })
	}
}

// script writes a program that is started in place of a server.
func script(t *testing.T, script string) string {
	t.Helper()
	fake := filepath.Join(t.TempDir(), "server")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return fake
}

func TestExtraThatEnds(t *testing.T) {
	extras(t, func(t *testing.T, e extra) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s := &servers{dir: t.TempDir()}
		defer s.stop()
		err := s.startExtra(ctx, script(t, "echo no luck today\nexit 3\n"), e)
		if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "no luck today") || !strings.Contains(err.Error(), e.name+" at http") {
			t.Errorf("got %v, want %v and the end of the log", err, errEnded)
		}
		if len(s.extra) != 0 || len(s.extraEnv) != 0 {
			t.Errorf("it counts as running: %v", s.extraEnv)
		}
	})
}

func TestExtraThatIsNotReady(t *testing.T) {
	extras(t, func(t *testing.T, e extra) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		s := &servers{dir: t.TempDir()}
		err := s.startExtra(ctx, script(t, "echo let me think\nexec sleep 60\n"), e)
		if err == nil || !strings.Contains(err.Error(), "not ready in time") || !strings.Contains(err.Error(), "let me think") {
			t.Errorf("got %v, want that it is not ready, and the end of the log", err)
		}
		if len(s.extra) != 1 {
			t.Fatalf("%d servers to stop, want 1", len(s.extra))
		}
		r := s.extra[0]
		s.stop()
		if r.process.ProcessState == nil {
			t.Error("it still runs")
		}
	})
}

func TestNoExtra(t *testing.T) {
	extras(t, func(t *testing.T, e extra) {
		s := &servers{dir: t.TempDir()}
		if err := s.startExtra(t.Context(), "", e); err != nil || len(s.extra) != 0 {
			t.Errorf("%v, %d servers", err, len(s.extra))
		}
		if err := s.startExtra(t.Context(), "/does/not/exist", e); err == nil || !strings.Contains(err.Error(), "make "+e.target) {
			t.Errorf("got %v, want what to do", err)
		}
	})
}

func TestExtraServerThatEndsLater(t *testing.T) {
	s := running()
	r := &server{name: "Azurite", log: filepath.Join(t.TempDir(), "log"), done: make(chan struct{})}
	s.extra = []*server{r}
	close(r.done)
	got, err := run([]string{"sleep", "60"}, os.Environ(), nil, s)
	if got != exitServer || !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "Azurite") {
		t.Errorf("%d, %v; want %d and the server's name", got, err, exitServer)
	}
}

func TestExtraEnvironment(t *testing.T) {
	s := &servers{plain: &server{}, tls: &server{}, extraEnv: []string{"AZURE_STORAGE_KEY=new"}}
	env := s.environment([]string{"AZURE_STORAGE_KEY=mine", "azure_storage_sas_token=mine"})
	if !slices.Contains(env, "AZURE_STORAGE_KEY=new") {
		t.Error("the key is missing")
	}
	for _, e := range env {
		if strings.HasSuffix(e, "=mine") {
			t.Errorf("%s is still there", e)
		}
	}
}

// Variables that would lead a test to Google, or to another emulator, do not reach it.
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
