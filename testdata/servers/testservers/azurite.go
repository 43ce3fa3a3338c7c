package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// azuriteAccount is the emulator's storage account.
const azuriteAccount = "strongroomtest"

// emulatedAzure returns the emulator of Azure Blob Storage, with its data in memory and a random key.
func emulatedAzure() extra {
	secret := make([]byte, 48)
	_, _ = rand.Read(secret) // never fails
	key := base64.StdEncoding.EncodeToString(secret)
	return extra{
		name: "Azurite", target: "azurite",
		args: func(p place) []string {
			return []string{
				"--blobHost", p.host, "--blobPort", p.port,
				"--skipApiVersionCheck", "--inMemoryPersistence", "--disableTelemetry", "--silent",
			}
		},
		env:   []string{"AZURITE_ACCOUNTS=" + azuriteAccount + ":" + key},
		ready: func(ctx context.Context, r *server) error { return r.answers(ctx, "Azurite") },
		environ: func(address string) []string {
			return []string{"STRONGROOM_TEST_AZURE=" + address, "AZURE_STORAGE_ACCOUNT=" + azuriteAccount, "AZURE_STORAGE_KEY=" + key}
		},
	}
}

// answers waits for any response whose Server header begins with name.
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
			return r.failure(fmt.Errorf("it was not ready in time: %s", why))
		case <-r.done:
			return r.failure(errEnded)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// extraEnded returns a channel that receives each extra server that ends.
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

// stopExtra stops the extra servers and waits until they have ended.
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
