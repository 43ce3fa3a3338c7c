package azure

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A server accepts the connection and never answers, or stops midway.
func TestAzureServerHangs(t *testing.T) {
	end := make(chan struct{})
	f, b := newFake(t, cloud.Options{Timeout: 150 * time.Millisecond}, func(_ *fakeService, w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/half") || r.URL.Query().Get("prefix") == "half" {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("half"))
			w.(http.Flusher).Flush()
		}
		<-end
	})
	t.Cleanup(func() { close(end) })
	start := time.Now()
	timedOut := func(what string, err error) {
		t.Helper()
		if dialect.KindOf(err) != cloud.TimedOut {
			t.Errorf("%s: %v, want TimedOut", what, err)
		}
	}
	_, err := b.Get(t.Context(), "a", 0, -1)
	timedOut("Get", err)
	if n := len(f.seen()); n != cloud.MaxStandstills {
		t.Errorf("%d attempts, want %d", n, cloud.MaxStandstills)
	}
	r, err := b.Get(t.Context(), "half", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	r.Close()
	timedOut("reading", err)
	for _, prefix := range []string{"", "half"} {
		for _, err = range b.List(t.Context(), prefix, "", "") {
		}
		timedOut("List "+prefix, err)
	}
	_, err = storetest.PutBytes(t, b, "a", []byte("a"))
	timedOut("Put", err)
	timedOut("Delete", b.Delete(t.Context(), store.AnyVersion("a")))
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v", took)
	}
}

// If no server listens, there is a clear error after a few attempts.
func TestAzureUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	b := openFake(t, l.Addr().String(), cloud.Options{})
	start := time.Now()
	for _, err = range b.List(t.Context(), "", "", "") {
	}
	if dialect.KindOf(err) != cloud.Unreachable || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), "check the account") {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v", took)
	}
}

// With no key and no signature the adapter uses the credential chain. Here the chain has one link without
// credentials, so no request is sent.
func TestAzureNoCredentials(t *testing.T) {
	for _, v := range []string{"AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"} {
		t.Setenv(v, "")
	}
	t.Setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
	b := open(t, "azblob://bucket?account=acct&domain=localhost:1", cloud.Options{})
	start := time.Now()
	_, err := storetest.PutBytes(t, b, "a", nil)
	if dialect.KindOf(err) != cloud.BadCredentials || !strings.Contains(err.Error(), "no credentials") || !strings.Contains(err.Error(), "AZURE_STORAGE_KEY") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v", took)
	}
}

// Each request has the shared access signature in its query, and no message contains it.
func TestAzureSharedAccessSignature(t *testing.T) {
	f, _ := newFake(t, cloud.Options{}, func(f *fakeService, w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sig") != "top/secret" {
			fail(w, http.StatusForbidden, "AuthenticationFailed")
			return
		}
		f.serve(w, r, false)
	})
	t.Setenv("AZURE_STORAGE_KEY", "")
	for _, signature := range []string{"?sv=2026&sig=top%2Fsecret", "sv=2026&sig=top%2Fwrong"} {
		t.Setenv("AZURE_STORAGE_SAS_TOKEN", signature)
		b := open(t, "azblob://bucket?protocol=http&localemu=true&domain="+f.address, cloud.Options{})
		_, err := storetest.PutBytes(t, b, "a", []byte("a"))
		if good := strings.Contains(signature, "secret"); (err == nil) != good {
			t.Errorf("%s: %v", signature, err)
		}
		if err != nil && (dialect.KindOf(err) != cloud.BadCredentials || strings.Contains(err.Error(), "wrong")) {
			t.Errorf("%v", err)
		}
	}
	closed := open(t, "azblob://bucket?protocol=http&localemu=true&domain=127.0.0.1:1", cloud.Options{})
	if _, err := closed.Stat(t.Context(), "a"); dialect.KindOf(err) != cloud.Unreachable || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v", err)
	}
}

// A proxy that sends whole objects in place of ranges would mix up the bytes of a restore. Get refuses what does not
// begin at the offset, and states why: then a restore reads the whole object. From the beginning on, the bytes are right.
func TestAzureRangesAreIgnored(t *testing.T) {
	_, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("content"))
	})
	r, err := b.Get(t.Context(), "a", 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	r.Close()
	if err != nil || string(got) != "con" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := b.Get(t.Context(), "a", 2, 3); !errors.Is(err, store.ErrNoRanges) {
		t.Errorf("%v, want ErrNoRanges", err)
	}
}
