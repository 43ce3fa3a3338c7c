package storetest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// envAzure names the HOST:PORT of an emulator of Azure Blob Storage. The account and its key are in the usual
// variables.
const (
	envAzure        = "STRONGROOM_TEST_AZURE"
	envAzureAccount = "AZURE_STORAGE_ACCOUNT"
	envAzureKey     = "AZURE_STORAGE_KEY"
)

// AzureServer is a new container on an emulator. It is deleted at the end of its test.
type AzureServer struct {
	Client    *container.Client // for a test's operations that bypass the store
	Container string
	URL       string // of an archive in the container
	Prefix    string // of the archive's keys in the container
}

// Azure creates a new container and returns the URL of an archive in it. With -short it skips the test; without a
// server the test fails.
func Azure(t *testing.T) string { return NewAzure(t).URL }

// NewAzure is Azure for tests that access the container directly.
func NewAzure(t *testing.T) *AzureServer {
	t.Helper()
	if testing.Short() {
		t.Skip("tests against a server run only without -short")
	}
	address, account, key := os.Getenv(envAzure), os.Getenv(envAzureAccount), os.Getenv(envAzureKey)
	if address == "" || account == "" || key == "" {
		t.Fatalf("%s, %s or %s is not set: no server to test against; run make test, or go test -short", envAzure, envAzureAccount, envAzureKey)
	}
	credential, err := container.NewSharedKeyCredential(account, key)
	if err != nil {
		t.Fatalf("%s: %v", envAzureKey, err)
	}
	s := &AzureServer{Container: "test-" + strings.ToLower(rand.Text()), Prefix: "orders/node-1/"}
	s.URL = "azblob://" + s.Container + "/" + strings.TrimSuffix(s.Prefix, "/") + "?protocol=http&localemu=true&domain=" + address
	s.Client, err = container.NewClientWithSharedKeyCredential("http://"+address+"/"+account+"/"+s.Container, credential, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.Create(t.Context(), nil); err != nil {
		t.Fatalf("making a container at %s: %v", address, err)
	}
	t.Cleanup(func() {
		if _, err := s.Client.Delete(context.WithoutCancel(t.Context()), nil); err != nil {
			t.Errorf("deleting the container: %v", err)
		}
	})
	return s
}

// Uncommitted returns the number of a key's blocks that were sent and never committed.
func (s *AzureServer) Uncommitted(t *testing.T, key string) int {
	t.Helper()
	list, err := s.Client.NewBlockBlobClient(s.Prefix+key).GetBlockList(t.Context(), blockblob.BlockListTypeUncommitted, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return 0
	}
	if err != nil {
		t.Fatalf("listing the blocks of %s: %v", key, err)
	}
	return len(list.UncommittedBlocks)
}
