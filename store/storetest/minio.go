package storetest

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// envMinIO names the path of MinIO's binary, for tests that start their own server.
const envMinIO = "STRONGROOM_TEST_MINIO"

// MinIO is a server of one test. The test can stop and restart it with the same content and address. It is stopped
// at the end of its test.
type MinIO struct {
	URL    string // of an archive in a bucket on the server
	Bucket string
	Client *s3.Client

	t       *testing.T
	dir     string
	address string
	process *exec.Cmd
}

// NewMinIO starts a server with an empty bucket. With -short it skips the test.
func NewMinIO(t *testing.T) *MinIO {
	t.Helper()
	if testing.Short() {
		t.Skip("tests against a server run only without -short")
	}
	if os.Getenv(envMinIO) == "" {
		t.Fatalf("%s is not set: there is no MinIO to start; run make test, or go test -short", envMinIO)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &MinIO{t: t, dir: t.TempDir(), address: l.Addr().String(), Bucket: "backups"}
	l.Close()
	endpoint := "http://" + m.address
	m.URL = "s3://" + m.Bucket + "/orders?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(endpoint)
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithRegion("us-east-1"))
	if err != nil {
		t.Fatal(err)
	}
	m.Client = s3.NewFromConfig(cfg, func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = &endpoint, true })
	t.Cleanup(m.Stop)
	m.Start()
	if _, err := m.Client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &m.Bucket}); err != nil {
		t.Fatal(err)
	}
	return m
}

// Start starts the server, and returns when it is ready.
func (m *MinIO) Start() {
	m.t.Helper()
	m.process = exec.Command(os.Getenv(envMinIO), "server", "--address", m.address, "--quiet", filepath.Join(m.dir, "data"))
	m.process.Dir = m.dir
	m.process.Env = []string{
		"HOME=" + m.dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + m.dir,
		"MINIO_ROOT_USER=" + os.Getenv("AWS_ACCESS_KEY_ID"), "MINIO_ROOT_PASSWORD=" + os.Getenv("AWS_SECRET_ACCESS_KEY"),
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off",
	}
	m.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.process.Start(); err != nil {
		m.t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; {
		if m.ready() {
			return
		}
		if time.Now().After(end) {
			m.t.Fatal("MinIO is not ready after a minute")
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (m *MinIO) ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.address+"/minio/health/ready", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// Stop kills the server, like a power cut. It does nothing if the server is stopped.
func (m *MinIO) Stop() {
	if m.process == nil {
		return
	}
	_ = m.process.Process.Kill()
	_ = m.process.Wait()
	m.process = nil
}
