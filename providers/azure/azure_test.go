package azure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func TestAzure(t *testing.T) {
	t.Parallel()
	server := storetest.NewAzure(t)
	n := 0
	storetest.Run(t, func(t *testing.T) store.Store {
		n++
		return open(t, strings.Replace(server.URL, "/node-1", fmt.Sprintf("/node-1/%d", n), 1), cloud.Options{})
	}, storetest.Options{HashesAll: true, Boundary: cloud.SingleMax, Part: minBlock})
}

// Each operation distinguishes a missing container from a missing object.
func TestAzureServer(t *testing.T) {
	server := storetest.NewAzure(t)
	gone := open(t, strings.Replace(server.URL, server.Container, server.Container+"-gone", 1), cloud.Options{})
	_, putErr := storetest.PutBytes(t, gone, "a", []byte("a"))
	_, largeErr := storetest.PutBytes(t, gone, "a", make([]byte, cloud.SingleMax+1))
	_, getErr := gone.Get(t.Context(), "a", 0, -1)
	_, statErr := gone.Stat(t.Context(), "a")
	var listErr error
	for _, listErr = range gone.List(t.Context(), "", "", "") {
	}
	deleteErr := gone.Delete(t.Context(), store.AnyVersion("a"))
	for what, err := range map[string]error{"Put": putErr, "Put in blocks": largeErr, "Get": getErr, "Stat": statErr, "List": listErr, "Delete": deleteErr} {
		if !errors.Is(err, cloud.ErrNoBucket) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s without a container: %v", what, err)
		}
	}
	there := open(t, server.URL, cloud.Options{})
	if _, err := there.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, cloud.ErrNoBucket) {
		t.Errorf("Stat without an object: %v", err)
	}
	t.Setenv("AZURE_STORAGE_KEY", "d3Jvbmc=")
	_, err := storetest.PutBytes(t, open(t, server.URL, cloud.Options{}), "a", []byte("a"))
	// Azure itself returns AuthenticationFailed, which is BadCredentials.
	if k := dialect.KindOf(err); (k != cloud.Denied && k != cloud.BadCredentials) || strings.Contains(err.Error(), "\n") {
		t.Errorf("with a wrong key: %v", err)
	}
}

// Put, Stat and List return the MD5, for objects in one request and in blocks.
func TestAzureMD5(t *testing.T) {
	t.Parallel()
	server := storetest.NewAzure(t)
	b := open(t, server.URL, cloud.Options{})
	for _, size := range []int{0, 5, cloud.SingleMax + minBlock + 5} {
		key, content := fmt.Sprintf("md5/%d", size), bytes.Repeat([]byte("a"), size)
		for range 2 {
			stored, err := storetest.PutBytes(t, b, key, content)
			if err != nil || stored.MD5 != md5Hex(content) {
				t.Errorf("Put of %d bytes: %+v, %v; want %s", size, stored, err, md5Hex(content))
			}
		}
		if o, err := b.Stat(t.Context(), key); err != nil || o.MD5 != md5Hex(content) {
			t.Errorf("Stat of %d bytes: %+v, %v; want %s", size, o, err, md5Hex(content))
		}
		for o, err := range b.List(t.Context(), key, "", "") {
			if err != nil || o.MD5 != md5Hex(content) {
				t.Errorf("List: %+v, %v; want %s", o, err, md5Hex(content))
			}
		}
	}
}

// Put reads and compares an existing object of another program that has no MD5.
func TestAzureForeignObject(t *testing.T) {
	t.Parallel()
	server := storetest.NewAzure(t)
	b := open(t, server.URL, cloud.Options{})
	content := bytes.Repeat([]byte("a"), 2<<20)
	client := server.Client.NewBlockBlobClient(server.Prefix + "foreign")
	body := streaming.NopCloser(bytes.NewReader(content))
	if _, err := client.StageBlock(t.Context(), "AAAA", body, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CommitBlockList(t.Context(), []string{"AAAA"}, nil); err != nil {
		t.Fatal(err)
	}
	if o, err := b.Stat(t.Context(), "foreign"); err != nil || o.MD5 != "" {
		t.Fatalf("Stat: %+v, %v; want no MD5", o, err)
	}
	if stored, err := storetest.PutBytes(t, b, "foreign", content); err != nil || !stored.Existed {
		t.Errorf("Put of the same: %+v, %v", stored, err)
	}
	content[len(content)-1]++
	if _, err := storetest.PutBytes(t, b, "foreign", content); !errors.Is(err, store.ErrExists) {
		t.Errorf("Put of other content: %v, want ErrExists", err)
	}
}

// The blocks of a canceled Put are not visible, and the next Put drops them.
func TestAzureLeftBlocks(t *testing.T) {
	t.Parallel()
	server := storetest.NewAzure(t)
	b := open(t, server.URL, cloud.Options{})
	content := bytes.Repeat([]byte("a"), cloud.SingleMax+1)
	ctx, cancel := context.WithCancel(t.Context())
	body := &canceling{bytes.NewReader(content), int64(len(content) - 1), cancel}
	if _, err := b.Put(ctx, "a", body, storetest.SumsOf(content)); !errors.Is(err, context.Canceled) {
		t.Fatalf("Put: %v", err)
	}
	if _, err := b.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat after a canceled Put: %v", err)
	}
	for o := range b.List(t.Context(), "", "", "") {
		t.Errorf("the listing shows %+v", o)
	}
	if _, err := storetest.PutBytes(t, b, "a", content); err != nil {
		t.Fatal(err)
	}
	if n := server.Uncommitted(t, "a"); n != 0 {
		t.Errorf("%d blocks are left", n)
	}
}

// canceling calls cancel when the byte at the offset at is read.
type canceling struct {
	*bytes.Reader
	at     int64
	cancel context.CancelFunc
}

// ReadAt implements io.ReaderAt.
func (c *canceling) ReadAt(b []byte, off int64) (int, error) {
	if off <= c.at && c.at < off+int64(len(b)) {
		c.cancel()
	}
	return c.Reader.ReadAt(b, off)
}

// The adapter relies on checks of the service: the MD5 of a block, the MD5 of an object in one request, and
// create-only for both requests that create an object.
func TestAzureVerifies(t *testing.T) {
	t.Parallel()
	server := storetest.NewAzure(t)
	client := server.Client.NewBlockBlobClient("verify")
	wrong := blob.TransferValidationTypeMD5(make([]byte, 16))
	send := func() *requestBody { return newRequestBody(cloud.NewBody(strings.NewReader("abc"), 3), 0, 3) }
	_, err := client.Upload(t.Context(), send(), &blockblob.UploadOptions{TransactionalValidation: wrong})
	if !isBadDigest(err) {
		t.Errorf("Put Blob with a wrong MD5: %v", err)
	}
	if _, err = client.StageBlock(t.Context(), "AAAA", send(), &blockblob.StageBlockOptions{TransactionalValidation: wrong}); !isBadDigest(err) {
		t.Errorf("Put Block with a wrong MD5: %v", err)
	}
	if _, err = client.Upload(t.Context(), send(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err = client.StageBlock(t.Context(), "AAAA", send(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err = client.CommitBlockList(t.Context(), []string{"AAAA"}, &blockblob.CommitBlockListOptions{AccessConditions: onlyNew()}); dialect.Classify(err) != cloud.Precondition {
		t.Errorf("Put Block List over an object: %v", err)
	}
	if _, err = client.Upload(t.Context(), send(), &blockblob.UploadOptions{AccessConditions: onlyNew()}); dialect.Classify(err) != cloud.Precondition {
		t.Errorf("Put Blob over an object: %v", err)
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	const mib, tib = 1 << 20, 1 << 40
	for size, want := range map[int64]int64{
		1: 8 * mib, 40_000 * 8 * mib: 8 * mib, 40_000*8*mib + 1: 9 * mib, tib: 27 * mib, 150 * tib: 3933 * mib,
	} {
		if got := blockSize(size); got != want || size > got*maxBlocks {
			t.Errorf("blocks of %d bytes for %d, want %d", got, size, want)
		}
	}
	a, b := blockName(), blockName()
	if x, y := a(0), a(maxBlocks); len(x) != len(y) || x == y || x == b(0) || len(b(7)) != len(x) {
		t.Errorf("block ids %s, %s and %s", x, y, b(0))
	}
}

func TestAzureURL(t *testing.T) {
	for _, v := range []string{"AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"} {
		t.Setenv(v, "")
	}
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
	for url, want := range map[string]string{
		"azblob://con?account=acct":                                       "https://acct.blob.core.windows.net/con",
		"azblob://con/a/b?account=acct&domain=blob.core.chinacloudapi.cn": "https://acct.blob.core.chinacloudapi.cn/con",
		"azblob://con?account=acct&domain=localhost:1&localemu=1":         "https://localhost:1/acct/con",
		"azblob://con":                                         "AZURE_STORAGE_ACCOUNT",
		"azblob://con?account=a":                               "3 to 24 small letters",
		"azblob://?account=acct":                               "names no container",
		"azblob://Con?account=acct":                            "no container's name",
		"azblob://c--n?account=acct":                           "no container's name",
		"azblob://con?account=acct&protocol=ftp":               "write http or https",
		"azblob://con?account=acct&protocol=http":              "set AZURE_STORAGE_KEY",
		"azblob://con?account=acct&localemu=maybe":             "write true or false",
		"azblob://con?account=acct&domain=host/path":           "no host name",
		"azblob://con?account=acct&domain=user:topsecret@host": "no host name",
		"azblob://con?account=acct&domain=":                    "no host name",
		"azblob://con?account=acct&sig=topsecret":              "unknown parameter sig; azblob:// takes account, domain",
		"azblob://acct:topsecret@con?account=acct":             "holds credentials",
	} {
		b, err := Open(t.Context(), url, cloud.Options{})
		got := fmt.Sprint(err)
		if err == nil {
			got = b.(*adapter).client.URL()
		}
		if !strings.Contains(got, want) || (err == nil && got != want) || strings.Contains(got, "topsecret") {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "topsecret")
	_, err := Open(t.Context(), "azblob://con?account=acct", cloud.Options{})
	if err == nil || strings.Contains(err.Error(), "topsecret") || !strings.Contains(err.Error(), "AZURE_STORAGE_SAS_TOKEN") {
		t.Errorf("a bad signature: %v", err)
	}
	t.Setenv("AZURE_STORAGE_KEY", "top!secret")
	_, err = Open(t.Context(), "azblob://con?account=acct", cloud.Options{})
	if err == nil || strings.Contains(err.Error(), "top!secret") || !strings.Contains(err.Error(), "AZURE_STORAGE_KEY") {
		t.Errorf("a bad key: %v", err)
	}
}
