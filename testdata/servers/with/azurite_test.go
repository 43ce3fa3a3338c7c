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

// azuriteScript writes a program that is started in place of Azurite.
func azuriteScript(t *testing.T, script string) string {
	t.Helper()
	fake := filepath.Join(t.TempDir(), "azurite-blob")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return fake
}

func TestAzuriteThatEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s := &servers{dir: t.TempDir()}
	defer s.stop()
	err := s.startAzurite(ctx, azuriteScript(t, "echo no luck today\nexit 3\n"))
	if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "no luck today") || !strings.Contains(err.Error(), "Azurite at http") {
		t.Errorf("got %v, want %v and the end of the log", err, errEnded)
	}
	if len(s.extra) != 0 || len(s.extraEnv) != 0 {
		t.Errorf("it counts as running: %v", s.extraEnv)
	}
}

func TestAzuriteThatIsNotReady(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	s := &servers{dir: t.TempDir()}
	err := s.startAzurite(ctx, azuriteScript(t, "echo let me think\nexec sleep 60\n"))
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
}

func TestNoAzurite(t *testing.T) {
	s := &servers{dir: t.TempDir()}
	if err := s.startAzurite(t.Context(), ""); err != nil || len(s.extra) != 0 {
		t.Errorf("%v, %d servers", err, len(s.extra))
	}
	if err := s.startAzurite(t.Context(), "/does/not/exist"); err == nil || !strings.Contains(err.Error(), "make azurite") {
		t.Errorf("got %v, want what to do", err)
	}
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
