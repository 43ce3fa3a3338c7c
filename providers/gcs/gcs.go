package gcs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
	raw "google.golang.org/api/storage/v1"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// envEmulator is the environment variable with the endpoint of an emulator, for all of Google's SDKs.
const envEmulator = "STORAGE_EMULATOR_HOST"

const userAgent = "strongroom"

// adapter is an archive in a bucket of Google Cloud Storage. It uses the JSON API through Google's modules. It reads and
// lists through a driver on them. It makes the retries itself: see try, put and attemptTransport.
type adapter struct {
	cloud.Portable
	cloud.RedactedURL

	bucket     *storage.BucketHandle
	service    *raw.Service // the API itself
	bucketName string
	transport  *attemptTransport
	timeout    time.Duration
	log        *slog.Logger
	budget     *cloud.Budget

	uploads chan struct{} // a token for each large object in flight: each has a buffer
	seen    atomic.Bool   // a request succeeded, so the bucket exists
}

// openAddress builds the client. The first request searches for credentials.
func openAddress(ctx context.Context, a *cloud.Address, o cloud.Options) (cloud.Bucket, error) {
	if err := checkBucketName(a.Bucket); err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.Where, err)
	}
	endpoint, err := endpointOf(a)
	if err != nil {
		return nil, err
	}
	cloud.WarnOfClearText(o.Log, endpoint, a.Where)
	tr := http.DefaultTransport.(*http.Transport).Clone()
	cloud.Tune(tr, &o)
	tr.DisableCompression = true // objects arrive as they are stored
	transport := &attemptTransport{base: tr}
	// The module would search for credentials at once, and export metrics with them.
	opts := []option.ClientOption{
		option.WithHTTPClient(cloud.CheckingAnswers(o.Counter.Counting(&http.Client{Transport: transport}), "X-Goog-", "X-Guploader-")),
		option.WithoutAuthentication(),
	}
	if endpoint == "" {
		transport.base = &authorizer{base: tr, timeout: o.Timeout}
	} else {
		opts = append(opts, option.WithEndpoint(endpoint+"/storage/v1/"))
	}
	service, err := raw.NewService(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.Where, err)
	}
	client, err := storage.NewClient(ctx, append(opts, storage.WithJSONReads(), storage.WithDisabledClientMetrics())...)
	if err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.Where, err)
	}
	client.SetRetry(storage.WithPolicy(storage.RetryNever)) // its own retries have no limit but the context
	s := &adapter{
		RedactedURL: a.Where, bucket: client.Bucket(a.Bucket), service: service, bucketName: a.Bucket, transport: transport,
		timeout: o.Timeout, log: o.Log, budget: o.Budget, uploads: make(chan struct{}, o.Transfers),
	}
	s.read(a.Prefix, &cloud.Order{Scratch: o.Scratch})
	return s, nil
}

// read sets up reading and listing.
func (s *adapter) read(prefix string, order *cloud.Order) {
	d := &bucketDriver{cloud.Driver{Dialect: dialect}, s}
	s.Portable = cloud.Portable{Bucket: cloud.NewBucket(d, cloud.PageLimit(s.timeout)), Prefix: prefix, Order: order, Fail: s.fail}
}

// endpointOf returns the address of a service other than Google's, or "".
func endpointOf(a *cloud.Address) (string, error) {
	e, name := a.Params["endpoint"], "parameter endpoint"
	if e == "" {
		if e, name = os.Getenv(envEmulator), envEmulator; e == "" {
			return "", nil
		}
		if !strings.Contains(e, "://") {
			e = "http://" + e
		}
	}
	if err := cloud.CheckEndpoint(e); err != nil {
		return "", fmt.Errorf("archive URL %s: %s: %w", a.Where, name, err)
	}
	u, err := url.Parse(e)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("archive URL %s: %s has a path; write scheme, host and port only", a.Where, name)
	}
	return u.Scheme + "://" + u.Host, nil
}

func checkBucketName(name string) error {
	if name == "" {
		return errors.New("it names no bucket; write gs://bucket/prefix")
	}
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
	}
	if len(name) < 3 || len(name) > 222 || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("%.80q is no bucket's name; "+
			"a name has 3 to 63 (with dots, 222) lower-case letters, digits, dots, hyphens and underscores", name)
	}
	return nil
}

// try retries an operation until it succeeds, the error will not pass, or the attempts are used up. limit is
// how long an attempt may take. With 0, only the transport's timeouts apply, such as that of a connection
// without traffic.
func (s *adapter) try(ctx context.Context, limit time.Duration, op func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := within(ctx, limit, op)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !isTransient(err, attempt) {
			return err
		}
		if spent := s.budget.Spend(); spent != nil {
			return errors.Join(err, spent)
		}
		if err := cloud.Pause(ctx, cloud.Backoff(attempt)); err != nil {
			return err
		}
	}
}

// within calls op with a deadline, or with none if limit is 0.
func within(ctx context.Context, limit time.Duration, op func(context.Context) error) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return op(ctx)
}

// short returns how long one attempt of a request without content may take. It is longer than a connection's
// idle timeout, whose error is clearer.
func (s *adapter) short() time.Duration { return 2 * s.timeout }

// Close closes idle connections. An interrupted upload is not visible and costs nothing; the service drops it
// after a week. Close does not close the module's client: it has no other resources, and operations may
// still use it.
func (s *adapter) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// Options and Bucket are those of package providers.
type (
	Options = cloud.Options
	Bucket  = cloud.Bucket
)

// Open opens the archive of a gs:// URL. It sends no request. ctx is for reading local configuration only.
func Open(ctx context.Context, rawURL string, o Options) (Bucket, error) {
	a, err := cloud.Parse(rawURL, "gs", cloud.GcsParameters)
	if err != nil {
		return nil, err
	}
	return openAddress(ctx, &a, o.WithDefaults())
}
