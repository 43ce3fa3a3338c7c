package s3

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// adapter is an archive in a bucket of S3, MinIO, or a compatible service. It reads and lists through a driver on
// its own client. put.go has the writing, versions.go the buckets that keep versions.
type adapter struct {
	cloud.Portable
	cloud.RedactedURL
	settings

	client     *s3.Client
	bucketName string
	timeout    time.Duration
	budget     *cloud.Budget
	log        *slog.Logger

	parts  chan struct{} // a token for each part in flight, over all Puts
	seen   atomic.Bool   // a request succeeded, so the bucket exists
	oldest versionMemory

	demandsMD5   atomic.Bool // the service demands an MD5 of requests that have a body
	ignoresAfter atomic.Bool // the service cannot begin a listing after a key

	mu         sync.Mutex
	unfinished map[string]string // uploads that could not be aborted: id → full key
	transfer   *http.Client
}

// openAddress builds the client, with credentials from the standard chain and settings from the URL.
func openAddress(ctx context.Context, a *cloud.Address, o cloud.Options) (cloud.Bucket, error) {
	if err := checkBucketName(a.Bucket); err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.Where, err)
	}
	cfg, err := loadConfig(ctx, a)
	if err != nil {
		return nil, err
	}
	pathStyle, err := a.Truth("use_path_style")
	if err != nil {
		return nil, err
	}
	settings, err := parseSettings(a, time.Now())
	if err != nil {
		return nil, err
	}
	s := &adapter{
		RedactedURL: a.Where, settings: settings, bucketName: a.Bucket, timeout: o.Timeout, budget: o.Budget, log: o.Log,
		parts: make(chan struct{}, o.Transfers), unfinished: map[string]string{}, oldest: versionMemory{turn: make(chan struct{}, 1)},
	}
	s.transfer = newHTTPClient(&cfg, &o)
	s.client = s3.NewFromConfig(cfg, func(so *s3.Options) {
		so.HTTPClient = s.transfer
		so.UsePathStyle = pathStyle
		so.Retryer = newRetryer(o.Budget)
		// No checksums but our own: the SDK would hash each part again, and many services
		// refuse the checksums that it sends by default.
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		so.ContinueHeaderThresholdBytes = cloud.ContinueThreshold
		so.DisableLogOutputChecksumValidationSkipped = true
		if settings.payer {
			so.APIOptions = append(so.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Request-Payer", string(types.RequestPayerRequester)))
		}
	})
	if e := s.client.Options().BaseEndpoint; e != nil { // of the URL, the environment or the profile
		cloud.WarnOfClearText(o.Log, *e, a.Where)
	}
	s.read(a.Prefix, &cloud.Order{Scratch: o.Scratch})
	return s, nil
}

// read sets up reading and listing.
func (s *adapter) read(prefix string, order *cloud.Order) {
	d := &bucketDriver{cloud.Driver{Dialect: dialect}, s}
	s.Portable = cloud.Portable{Bucket: cloud.NewBucket(d, cloud.PageLimit(s.timeout)), Prefix: prefix, Order: order, Fail: s.fail}
}

// loadConfig reads the standard chain and the URL's parameters.
func loadConfig(ctx context.Context, a *cloud.Address) (aws.Config, error) {
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})} // errors have what matters
	if r := a.Params["region"]; r != "" {
		load = append(load, config.WithRegion(r))
	}
	if p := a.Params["profile"]; p != "" {
		load = append(load, config.WithSharedConfigProfile(p))
	}
	dual, err := a.Truth("dualstack")
	if err != nil {
		return aws.Config{}, err
	}
	if dual {
		load = append(load, config.WithUseDualStackEndpoint(aws.DualStackEndpointStateEnabled))
	}
	anonymous, err := a.Truth("anonymous")
	if err != nil {
		return aws.Config{}, err
	}
	if anonymous {
		load = append(load, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if missing := new(config.SharedConfigProfileNotExistError); errors.As(err, missing) {
		return cfg, fmt.Errorf("archive URL %s: there is no profile %.80q in the shared files (~/.aws/config and "+
			"~/.aws/credentials, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE); correct profile= or AWS_PROFILE",
			a.Where, missing.Profile)
	}
	if err != nil {
		return cfg, fmt.Errorf("archive URL %s: reading the AWS configuration: %w", a.Where, err)
	}
	if e, ok := a.Params["endpoint"]; ok {
		if err := cloud.CheckEndpoint(e); err != nil {
			return cfg, fmt.Errorf("archive URL %s: parameter endpoint: %w", a.Where, err)
		}
		cfg.BaseEndpoint = &e
		if cfg.Region == "" {
			cfg.Region = "us-east-1" // services without regions expect this name
		}
	}
	if cfg.Region == "" {
		return cfg, fmt.Errorf("archive URL %s: no region for the bucket; "+
			"add region= to the URL, or set AWS_REGION", a.Where)
	}
	return cfg, nil
}

// newHTTPClient returns the client for requests to the bucket. It keeps the certificates that the SDK loaded
// from AWS_CA_BUNDLE. The credential chain keeps the SDK's own client, which has shorter timeouts for
// missing services.
func newHTTPClient(cfg *aws.Config, o *cloud.Options) *http.Client {
	b, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		b = awshttp.NewBuildableClient()
	}
	tr := b.WithTransportOptions(func(tr *http.Transport) { cloud.Tune(tr, o) }).GetTransport()
	return cloud.CheckingTypedAnswers(o.Counter.Counting(&http.Client{
		Transport: tr,
		// A redirect means another region, where the signature is invalid.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}), "X-Amz-")
}

func checkBucketName(name string) error {
	if name == "" {
		return errors.New("it names no bucket; write s3://bucket/prefix")
	}
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
	}
	if len(name) < 3 || len(name) > 63 || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("%.80q is no bucket's name; a name has 3 to 63 letters, digits, dots and hyphens", name)
	}
	return nil
}

// permissions are the permissions that an operation needs, for advice.
var permissions = map[string]string{
	"putting": "s3:PutObject (and s3:GetObject, s3:ListBucket, s3:AbortMultipartUpload; " +
		"s3:PutObjectRetention, s3:PutObjectLegalHold to lock)",
	"getting":             "s3:GetObject (and s3:ListBucket, or a missing object is reported as denied)",
	"reading":             "s3:GetObject",
	"checking":            "s3:GetObject (and s3:ListBucket, or a missing object is reported as denied)",
	"listing":             "s3:ListBucket",
	"deleting":            "s3:DeleteObject and s3:GetObject",
	"sweeping":            "s3:ListBucketMultipartUploads and s3:AbortMultipartUpload",
	"reading the lock of": "s3:GetObjectRetention, and s3:GetObjectLegalHold with legal_hold",
	"thawing":             "s3:RestoreObject",
	"locking":             "s3:PutObjectRetention, and s3:PutObjectLegalHold with legal_hold",
}

// versionPermissions are the permissions in a bucket that keeps versions.
var versionPermissions = map[string]string{
	"putting": "s3:PutObject (and s3:GetObjectVersion, s3:ListBucketVersions, s3:AbortMultipartUpload; " +
		"s3:PutObjectRetention, s3:PutObjectLegalHold to lock)",
	"getting":  "s3:GetObjectVersion and s3:ListBucketVersions",
	"reading":  "s3:GetObjectVersion",
	"checking": "s3:GetObjectVersion and s3:ListBucketVersions",
	"listing":  "s3:ListBucketVersions",
	"deleting": "s3:DeleteObjectVersion and s3:ListBucketVersions, and the objects must not be locked",
}

func (s *adapter) fail(op, key string, err error) error {
	permission := permissions[op]
	if p := versionPermissions[op]; p != "" && s.oldest.known.Load() == versionsOn {
		permission = p
	}
	if permission != "" && !s.payer {
		permission += "; if the bucket's requesters pay, write requester_pays=true in the URL"
	}
	return dialect.WrapFor(string(s.RedactedURL), op, key, permission, err)
}

// Close tries once more to abort unfinished uploads, and closes idle connections.
func (s *adapter) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), cloud.AbortTimeout)
	defer cancel()
	_, err := s.abortUnfinished(ctx)
	s.transfer.CloseIdleConnections()
	return s.fail("sweeping", "", err)
}

var _ store.Sweeper = (*adapter)(nil)

// Options and Bucket are those of package providers.
type (
	Options = cloud.Options
	Bucket  = cloud.Bucket
)

// Open opens the archive of an s3:// URL. It sends no request. ctx is for reading local configuration only.
func Open(ctx context.Context, rawURL string, o Options) (Bucket, error) {
	a, err := cloud.Parse(rawURL, "s3", cloud.S3Parameters)
	if err != nil {
		return nil, err
	}
	return openAddress(ctx, &a, o.WithDefaults())
}
