package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// azuriteAccount is the storage account that the emulator has.
const azuriteAccount = "strongroomtest"

// startAzurite starts the emulator of Azure Blob Storage, with the data in its memory,
// and returns when it is ready. Without a path there is none.
func (s *servers) startAzurite(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	binary, err := exec.LookPath(path)
	if err != nil {
		return fmt.Errorf("there is no Azurite: %w; make azurite installs it", err)
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	secret := make([]byte, 48)
	_, _ = rand.Read(secret) // never fails
	key := base64.StdEncoding.EncodeToString(secret)
	for try := 1; ; try++ {
		err = s.tryAzurite(ctx, binary, key)
		if try == 3 || !errors.Is(err, errEnded) { // perhaps another process took the port
			return err
		}
	}
}

func (s *servers) tryAzurite(ctx context.Context, binary, key string) error {
	addresses, err := freeAddresses(1)
	if err != nil {
		return fmt.Errorf("looking for a free port: %w", err)
	}
	host, port, _ := strings.Cut(addresses[0], ":")
	home, err := os.MkdirTemp(s.dir, "azurite-")
	if err != nil {
		return err
	}
	r := &server{name: "Azurite", url: "http://" + addresses[0], log: filepath.Join(home, "log"), done: make(chan struct{})}
	log, err := os.Create(r.log)
	if err != nil {
		return err
	}
	defer log.Close()
	r.process = exec.Command(binary, "--blobHost", host, "--blobPort", port,
		"--skipApiVersionCheck", "--inMemoryPersistence", "--disableTelemetry", "--silent")
	r.process.Dir = home
	r.process.Env = []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + home,
		"AZURITE_ACCOUNTS=" + azuriteAccount + ":" + key,
	}
	r.process.Stdout, r.process.Stderr = log, log
	r.process.SysProcAttr = ownGroup()
	if err := r.process.Start(); err != nil {
		return fmt.Errorf("starting Azurite: %w", err)
	}
	go func() {
		_ = r.process.Wait()
		close(r.done)
	}()
	s.extra = append(s.extra, r) // to be stopped, whatever follows
	if err := r.answers(ctx, "Azurite"); err != nil {
		if errors.Is(err, errEnded) {
			s.extra = s.extra[:len(s.extra)-1]
		}
		return err
	}
	s.extraEnv = append(s.extraEnv,
		"STRONGROOM_TEST_AZURE="+addresses[0],
		"AZURE_STORAGE_ACCOUNT="+azuriteAccount,
		"AZURE_STORAGE_KEY="+key,
	)
	return nil
}

// answers waits until a program that calls itself by that name answers, whatever it says.
func (r *server) answers(ctx context.Context, name string) error {
	client := http.Client{Transport: transport(nil), Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
		if err != nil {
			return err
		}
		why := "another program answers"
		response, err := client.Do(request)
		if err != nil {
			why = err.Error()
		} else {
			response.Body.Close()
			if strings.HasPrefix(response.Header.Get("Server"), name) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return r.failure(fmt.Errorf("it is not ready in time: %s", why))
		case <-r.done:
			return r.failure(errEnded)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// extraEnded tells of each server besides MinIO that ends.
func (s *servers) extraEnded() <-chan *server {
	ended := make(chan *server, len(s.extra))
	for _, r := range s.extra {
		go func() {
			<-r.done
			ended <- r
		}()
	}
	return ended
}

// stopExtra ends the servers besides MinIO and waits until they have ended.
func (s *servers) stopExtra() {
	for _, r := range s.extra {
		_ = r.process.Process.Signal(syscall.SIGTERM)
	}
	for _, r := range s.extra {
		select {
		case <-r.done:
		case <-time.After(5 * time.Second):
			_ = r.process.Process.Kill()
			<-r.done
		}
	}
	s.extra, s.extraEnv = nil, nil
}
