package providers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
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
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/strongroom-dev/strongroom/store"
)

// s3Store is an archive in a bucket of S3, MinIO, or what speaks their language.
// Reading and listing go through gocloud's s3blob, on the client that is built here; see
// s3put.go for writing, and s3versions.go for buckets that keep versions.
type s3Store struct {
	portable
	redactedURL
	s3Settings

	client     *s3.Client
	bucketName string
	timeout    time.Duration
	log        *slog.Logger

	parts  chan struct{} // a token for each part in flight, over all Puts
	seen   atomic.Bool   // the bucket answered: it exists
	oldest versionMemory

	mu         sync.Mutex
	unfinished map[string]string // uploads that could not be aborted: id → full key
	transfer   *http.Client
}

// openS3 builds the client: credentials from the standard chain, everything else from
// the URL.
func openS3(ctx context.Context, a *address, o Options) (Bucket, error) {
	if err := checkBucketName(a.bucket); err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.where, err)
	}
	cfg, err := s3Config(ctx, a)
	if err != nil {
		return nil, err
	}
	pathStyle, err := a.truth("use_path_style")
	if err != nil {
		return nil, err
	}
	settings, err := s3SettingsOf(a, time.Now())
	if err != nil {
		return nil, err
	}
	s := &s3Store{
		redactedURL: a.where, s3Settings: settings, bucketName: a.bucket, timeout: o.Timeout, log: o.Log,
		parts: make(chan struct{}, o.Transfers), unfinished: map[string]string{}, oldest: versionMemory{asking: make(chan struct{}, 1)},
	}
	s.transfer = s3HTTP(&cfg, &o)
	s.client = s3.NewFromConfig(cfg, func(so *s3.Options) {
		so.HTTPClient = s.transfer
		so.UsePathStyle = pathStyle
		so.Retryer = newRetryer(o.budget)
		// Checksums are those that we promise and compare, and no others: the SDK
		// would hash each part again, and many services refuse what it sends by default.
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		so.ContinueHeaderThresholdBytes = continueThreshold
		so.DisableLogOutputChecksumValidationSkipped = true
	})
	bucket, err := s3blob.OpenBucket(ctx, s.client, a.bucket, nil)
	if err != nil {
		return nil, fmt.Errorf("archive URL %s: %w", a.where, err)
	}
	s.portable = portable{bucket: bucket, prefix: a.prefix, fail: s.fail, hooks: s3Hooks}
	return s, nil
}

// s3Config reads the standard chain and the URL's parameters.
func s3Config(ctx context.Context, a *address) (aws.Config, error) {
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})} // what matters of it is in errors
	if r := a.params["region"]; r != "" {
		load = append(load, config.WithRegion(r))
	}
	if p := a.params["profile"]; p != "" {
		load = append(load, config.WithSharedConfigProfile(p))
	}
	anonymous, err := a.truth("anonymous")
	if err != nil {
		return aws.Config{}, err
	}
	if anonymous {
		load = append(load, config.WithCredentialsProvider(aws.AnonymousCredentials{}))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if missing := new(config.SharedConfigProfileNotExistError); errors.As(err, missing) {
		return cfg, fmt.Errorf("archive URL %s: there is no profile %.80q in the shared files (~/.aws/config and ~/.aws/credentials, or where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE say); correct profile= or AWS_PROFILE",
			a.where, missing.Profile)
	}
	if err != nil {
		return cfg, fmt.Errorf("archive URL %s: reading the AWS configuration: %w", a.where, err)
	}
	if e, ok := a.params["endpoint"]; ok {
		if err := checkEndpoint(e); err != nil {
			return cfg, fmt.Errorf("archive URL %s: %w", a.where, err)
		}
		cfg.BaseEndpoint = &e
		if cfg.Region == "" {
			cfg.Region = "us-east-1" // what services call it that know no regions
		}
	}
	if cfg.Region == "" {
		return cfg, fmt.Errorf("archive URL %s: nobody says in which region the bucket is; add region= to the URL, or set AWS_REGION", a.where)
	}
	return cfg, nil
}

// s3HTTP is the client for requests to the bucket. It keeps what the SDK made of
// AWS_CA_BUNDLE. The credential chain keeps the SDK's own client, whose waits for
// services that are not there are shorter.
func s3HTTP(cfg *aws.Config, o *Options) *http.Client {
	b, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		b = awshttp.NewBuildableClient()
	}
	tr := b.WithTransportOptions(func(tr *http.Transport) { tune(tr, o) }).GetTransport()
	return o.Counter.counting(&http.Client{
		Transport: tr,
		// A redirect means another region: the signature would not hold there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
}

func checkBucketName(name string) error {
	if name == "" {
		return errors.New("it names no bucket; write s3://bucket/prefix")
	}
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_", r)
	}
	if len(name) < 3 || len(name) > 63 || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("%.80q is no bucket's name: 3 to 63 letters, digits, dots and hyphens", name)
	}
	return nil
}

func checkEndpoint(e string) error {
	u, err := url.Parse(e)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return errors.New("parameter endpoint is no address; write endpoint=https://host:port")
	case u.User != nil:
		return errors.New("the endpoint holds credentials; use the environment, a profile or the role of this host")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("the endpoint has a query or a fragment; write endpoint=https://host:port")
	}
	return nil
}

// s3Hooks reach into s3blob's requests and listings.
var s3Hooks = hooks{
	read: func(as func(any) bool, key string) {
		var in *s3.GetObjectInput
		if as(&in) {
			in.Key = &key
		}
	},
	list: func(as func(any) bool, prefix, after string) {
		var in *s3.ListObjectsV2Input
		if as(&in) {
			in.Prefix, in.StartAfter = aws.String(prefix), nil
			if after != "" {
				in.StartAfter = &after
			}
		}
	},
	name: func(o *blob.ListObject) string {
		var object types.Object
		var prefix types.CommonPrefix
		switch {
		case o.As(&object):
			return aws.ToString(object.Key)
		case o.As(&prefix):
			return aws.ToString(prefix.Prefix)
		}
		return o.Key
	},
	beyond: func(err error) bool { return apiCode(err) == "InvalidRange" },
}

// s3Permissions are what an operation needs, for advice.
var s3Permissions = map[string]string{
	"putting":                "s3:PutObject (and s3:GetObject, s3:ListBucket, s3:AbortMultipartUpload; s3:PutObjectRetention, s3:PutObjectLegalHold to lock)",
	"getting":                "s3:GetObject (and s3:ListBucket, without which what is not there counts as denied)",
	"reading":                "s3:GetObject",
	"looking at":             "s3:GetObject (and s3:ListBucket, without which what is not there counts as denied)",
	"listing":                "s3:ListBucket",
	"deleting":               "s3:DeleteObject",
	"sweeping":               "s3:ListBucketMultipartUploads and s3:AbortMultipartUpload",
	"looking at the lock of": "s3:GetObjectRetention, and s3:GetObjectLegalHold with legal_hold",
	"locking":                "s3:PutObjectRetention, and s3:PutObjectLegalHold with legal_hold",
}

// versionPermissions are the same in a bucket that keeps versions.
var versionPermissions = map[string]string{
	"putting":    "s3:PutObject (and s3:GetObjectVersion, s3:ListBucketVersions, s3:AbortMultipartUpload; s3:PutObjectRetention, s3:PutObjectLegalHold to lock)",
	"getting":    "s3:GetObjectVersion and s3:ListBucketVersions",
	"reading":    "s3:GetObjectVersion",
	"looking at": "s3:GetObjectVersion and s3:ListBucketVersions",
	"listing":    "s3:ListBucketVersions",
	"deleting":   "s3:DeleteObjectVersion and s3:ListBucketVersions, and the objects must not be locked",
}

func (s *s3Store) fail(op, key string, err error) error {
	permission := s3Permissions[op]
	if p := versionPermissions[op]; p != "" && s.oldest.known.Load() == versionsOn {
		permission = p
	}
	return wrap(string(s.redactedURL), op, key, permission, err)
}

// Close lets go of idle connections, after a last try to end uploads that could not be
// aborted.
func (s *s3Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), abortTimeout)
	defer cancel()
	_, err := s.abortUnfinished(ctx)
	s.transfer.CloseIdleConnections()
	return errors.Join(s.fail("sweeping", "", err), s.portable.Close())
}

var _ store.Sweeper = (*s3Store)(nil)
