package providers

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
)

// gcsParameters are what may stand behind the "?" of a gs URL.
var gcsParameters = []string{
	"endpoint", // http:// or https:// address of a service that is not Google's, which gets no credentials
}

// envGCSEmulator names the service as endpoint does, for all of Google's SDKs.
const envGCSEmulator = "STORAGE_EMULATOR_HOST"

const gcsUserAgent = "strongroom"

// gcsStore is an archive in a bucket of Google Cloud Storage. It speaks the service's
// JSON API through Google's module. Whether a request is made again is decided here: see
// try, put and gcsTransport.
type gcsStore struct {
	redactedURL

	bucket     *storage.BucketHandle
	bucketName string
	transport  *gcsTransport
	prefix     string // "" or what ends in "/"
	timeout    time.Duration
	log        *slog.Logger
	budget     *budget

	uploads chan struct{} // a token for each large object in flight: each has a buffer
	seen    atomic.Bool   // the bucket answered: it exists
}

// openGCS builds the client. Credentials are looked for when the first request needs
// them.
func openGCS(ctx context.Context, a *address, o Options) (Bucket, error) {
	if err := checkGCSBucket(a.bucket); err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.where, err)
	}
	endpoint, err := gcsEndpoint(a)
	if err != nil {
		return nil, err
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tune(tr, &o)
	tr.DisableCompression = true // objects arrive as they are stored
	transport := &gcsTransport{base: tr}
	// The module would look for credentials at once, and export figures with them.
	opts := []option.ClientOption{
		option.WithHTTPClient(o.Counter.counting(&http.Client{Transport: transport})), option.WithoutAuthentication(),
		storage.WithJSONReads(), storage.WithDisabledClientMetrics(),
	}
	if endpoint == "" {
		transport.base = &gcsAuthorizer{base: tr, timeout: o.Timeout}
	} else {
		opts = append(opts, option.WithEndpoint(endpoint+"/storage/v1/"))
	}
	client, err := storage.NewClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.where, err)
	}
	client.SetRetry(storage.WithPolicy(storage.RetryNever)) // its own rules know no limit but the context
	return &gcsStore{
		redactedURL: a.where, bucket: client.Bucket(a.bucket), bucketName: a.bucket, transport: transport, prefix: a.prefix, timeout: o.Timeout, log: o.Log,
		budget: o.budget, uploads: make(chan struct{}, o.Transfers),
	}, nil
}

// gcsEndpoint is the address of a service that is not Google's, or "".
func gcsEndpoint(a *address) (string, error) {
	e, name := a.params["endpoint"], "parameter endpoint"
	if e == "" {
		if e, name = os.Getenv(envGCSEmulator), envGCSEmulator; e == "" {
			return "", nil
		}
		if !strings.Contains(e, "://") {
			e = "http://" + e
		}
	}
	if err := checkEndpoint(e); err != nil {
		return "", fmt.Errorf("archive URL %s: %s: %w", a.where, name, err)
	}
	u, err := url.Parse(e)
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("archive URL %s: %s has a path; write scheme, host and port only", a.where, name)
	}
	return u.Scheme + "://" + u.Host, nil
}

func checkGCSBucket(name string) error {
	if name == "" {
		return errors.New("it names no bucket; write gs://bucket/prefix")
	}
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
	}
	if len(name) < 3 || len(name) > 222 || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("%.80q is no bucket's name: 3 to 63 (with dots, 222) lower-case letters, digits, dots, hyphens and underscores", name)
	}
	return nil
}

// try makes an operation's attempts, one after another, until one succeeds, the error is
// one that stays, or the attempts are used up. limit is how long an attempt may take, 0:
// only the transport's limits hold, which are those of a connection that stands still.
func (s *gcsStore) try(ctx context.Context, limit time.Duration, op func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := within(ctx, limit, op)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !gcsPasses(err, attempt) {
			return err
		}
		if spent := s.budget.spend(); spent != nil {
			return errors.Join(err, spent)
		}
		if err := pause(ctx, backoff(attempt)); err != nil {
			return err
		}
	}
}

// within gives one attempt its deadline.
func within(ctx context.Context, limit time.Duration, op func(context.Context) error) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return op(ctx)
}

// pause waits, until ctx ends at most.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// short is how long one attempt of a request without content may take: longer than a
// connection may stand still, so that the clearer error of that one wins.
func (s *gcsStore) short() time.Duration { return 2 * s.timeout }

// Close lets go of idle connections. An upload that broke off shows nowhere and costs
// nothing; the service forgets it after a week. The module's client is not closed: it has
// nothing else to let go of, and must not be in use any more then.
func (s *gcsStore) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}
