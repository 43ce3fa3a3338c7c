package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/redact"
)

// defaultDomain is the domain of storage accounts, except in the clouds of some countries.
const defaultDomain = "blob.core.windows.net"

// adapter is an archive in a container of Azure Blob Storage. It reads and lists through a driver on the SDK's client.
// put.go has the writing.
type adapter struct {
	cloud.Portable
	cloud.RedactedURL

	client    *container.Client
	container string
	timeout   time.Duration
	tier      blob.AccessTier // of log content; empty: the account's

	blocks    chan struct{} // a token for each block in flight, over all Puts
	transport *http.Transport
	counter   *cloud.Counter
}

// openAddress builds the client. The environment has the account's key, a shared access signature, or the
// settings of Microsoft Entra ID; the URL has all other settings.
func openAddress(a *cloud.Address, o cloud.Options) (cloud.Bucket, error) {
	if err := checkContainerName(a.Bucket); err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.Where, err)
	}
	s := &adapter{
		RedactedURL: a.Where, container: a.Bucket, timeout: o.Timeout,
		blocks: make(chan struct{}, o.Transfers), transport: &http.Transport{Proxy: http.ProxyFromEnvironment}, counter: o.Counter,
	}
	cloud.Tune(s.transport, &o)
	s.transport.DisableCompression = true // objects arrive as they are stored
	emulator, err := a.Truth("localemu")
	if err != nil {
		return nil, err // it names the URL already
	}
	account, endpoint, err := endpointOf(a, emulator)
	if err == nil {
		s.tier, err = tierOf(a)
	}
	if err == nil {
		cloud.WarnOfClearText(o.Log, endpoint, a.Where)
		s.client, err = s.connect(account, endpoint+"/"+a.Bucket, newRetrier(&o))
	}
	if err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.Where, err)
	}
	s.read(a.Prefix, &cloud.Order{Scratch: o.Scratch})
	return s, nil
}

// read sets up reading and listing.
func (s *adapter) read(prefix string, order *cloud.Order) {
	d := &bucketDriver{cloud.Driver{Dialect: dialect}, s.client}
	s.Portable = cloud.Portable{Bucket: cloud.NewBucket(d, cloud.PageLimit(s.timeout)), Prefix: prefix, Order: order, Fail: s.fail}
}

// connect returns a client with the first credentials that it finds in the environment.
func (s *adapter) connect(account, containerURL string, retry policy.Policy) (*container.Client, error) {
	options := &container.ClientOptions{
		ClientOptions: azcore.ClientOptions{
			Transport:       s.http(),
			Retry:           policy.RetryOptions{MaxRetries: -1}, // retrier makes the retries
			PerCallPolicies: []policy.Policy{retry},
			Telemetry:       policy.TelemetryOptions{ApplicationID: "strongroom"},
		},
		ExpectContinueBehavior: container.ExpectContinueOptions{
			Mode: blob.ExpectContinueModeOn, ContentLengthThreshold: cloud.ContinueThreshold,
		},
	}
	if key := os.Getenv("AZURE_STORAGE_KEY"); key != "" {
		credential, err := container.NewSharedKeyCredential(account, strings.TrimSpace(key))
		if err != nil { // the error's text could quote the key
			return nil, errors.New("AZURE_STORAGE_KEY is no key of a storage account: it is not base64")
		}
		return container.NewClientWithSharedKeyCredential(containerURL, credential, options)
	}
	if token := os.Getenv("AZURE_STORAGE_SAS_TOKEN"); token != "" {
		token = strings.TrimPrefix(strings.TrimSpace(token), "?")
		if v, err := url.ParseQuery(token); err != nil || v.Get("sig") == "" {
			return nil, errors.New("AZURE_STORAGE_SAS_TOKEN is no shared access signature; write sv=…&sig=…")
		}
		return container.NewClientWithNoCredential(containerURL+"?"+token, options)
	}
	if !strings.HasPrefix(containerURL, "https://") {
		return nil, errors.New("http would expose a token to the network; " +
			"set AZURE_STORAGE_KEY, or remove protocol=http")
	}
	credential, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
		ClientOptions: azcore.ClientOptions{Transport: s.http()},
	})
	if err != nil {
		return nil, fmt.Errorf("reading the Azure configuration: %w", err)
	}
	return container.NewClient(containerURL, &tokenSource{credential}, options)
}

// http returns a client on the store's connections.
func (s *adapter) http() *http.Client {
	return cloud.CheckingAnswers(s.counter.Counting(&http.Client{
		Transport: s.transport,
		// The signature is invalid for another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}), "X-Ms-")
}

// tokenSource returns the errors of a credential chain as tokenErrors. Some of them have no type of their own.
type tokenSource struct{ azcore.TokenCredential }

// GetToken implements azcore.TokenCredential.
func (t *tokenSource) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := t.TokenCredential.GetToken(ctx, o)
	if err != nil && ctx.Err() == nil {
		err = &tokenError{err}
	}
	return token, err
}

// endpointOf returns the account and the address of its service. An emulator has the account in the path.
func endpointOf(a *cloud.Address, emulator bool) (account, endpoint string, _ error) {
	account = a.Params["account"]
	if account == "" {
		account = os.Getenv("AZURE_STORAGE_ACCOUNT")
	}
	if account == "" {
		return "", "", errors.New("no storage account for the container; " +
			"add account= to the URL, or set AZURE_STORAGE_ACCOUNT")
	}
	lower := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	if len(account) < 3 || len(account) > 24 || strings.ContainsFunc(account, lower) {
		return "", "", fmt.Errorf("%.80q is no storage account's name; "+
			"a name has 3 to 24 small letters and digits", account)
	}
	protocol, domain := "https", defaultDomain
	if v, ok := a.Params["protocol"]; ok {
		protocol = v
	}
	if v, ok := a.Params["domain"]; ok {
		domain = v
	}
	u, err := url.Parse(protocol + "://" + domain)
	switch {
	case protocol != "http" && protocol != "https":
		return "", "", fmt.Errorf("parameter protocol is %s; write http or https", redact.Value("protocol", protocol))
	case err != nil || u.Host == "" || u.Host != domain:
		return "", "", errors.New("parameter domain is no host name; write domain=blob.core.windows.net or, " +
			"for an emulator, domain=127.0.0.1:10000")
	case emulator:
		return account, protocol + "://" + domain + "/" + account, nil
	}
	return account, protocol + "://" + account + "." + domain, nil
}

func checkContainerName(name string) error {
	if name == "" {
		return errors.New("it names no container; write azblob://container/prefix")
	}
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' }
	if len(name) < 3 || len(name) > 63 || strings.ContainsFunc(name, odd) ||
		strings.Contains(name, "--") || strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") {
		return fmt.Errorf("%.80q is no container's name; "+
			"a name has 3 to 63 small letters, digits and single hyphens", name)
	}
	return nil
}

// Close closes idle connections.
func (s *adapter) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// Options and Bucket are those of package providers.
type (
	Options = cloud.Options
	Bucket  = cloud.Bucket
)

// Open opens the archive of an azblob:// URL. It sends no request.
func Open(_ context.Context, rawURL string, o Options) (Bucket, error) {
	a, err := cloud.Parse(rawURL, "azblob", cloud.AzureParameters)
	if err != nil {
		return nil, err
	}
	return openAddress(&a, o.WithDefaults())
}
