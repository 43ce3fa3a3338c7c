//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// server is a minimal S3 client for the floors: plain requests with an unsigned payload. It computes only the
// signature.
type server struct {
	endpoint string
	http     *http.Client
	signer   *v4.Signer
	key      aws.Credentials
}

func newServer(endpoint string) *server {
	return &server{
		endpoint: endpoint,
		http: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 64, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10, DisableCompression: true,
		}},
		signer: v4.NewSigner(),
		key:    aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")},
	}
}

// do sends a request and returns a successful response.
func (s *server) do(method, path string, query url.Values, body io.Reader, size int64) (*http.Response, error) {
	r, err := http.NewRequest(method, s.endpoint+"/"+path+"?"+query.Encode(), body)
	if err != nil {
		return nil, err
	}
	r.ContentLength = size
	const unsigned = "UNSIGNED-PAYLOAD"
	r.Header.Set("X-Amz-Content-Sha256", unsigned)
	if err := s.signer.SignHTTP(context.Background(), s.key, r, unsigned, "s3", "us-east-1", time.Now()); err != nil {
		return nil, err
	}
	answer, err := s.http.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1000))
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	}
	return answer, nil
}

// done sends a request whose response has no content, and returns its ETag.
func (s *server) done(method, path string, query url.Values, body io.Reader, size int64) (string, error) {
	answer, err := s.do(method, path, query, body, size)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.Header.Get("ETag"), err
}

func (s *server) put(path string, b []byte) error {
	_, err := s.done(http.MethodPut, path, nil, bytes.NewReader(b), int64(len(b)))
	return err
}

// begin starts a multipart upload.
func (s *server) begin(path string) (id string, err error) {
	answer, err := s.do(http.MethodPost, path, url.Values{"uploads": {""}}, nil, 0)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var out struct {
		ID string `xml:"UploadId"`
	}
	return out.ID, xml.NewDecoder(answer.Body).Decode(&out)
}

func (s *server) putPart(path, id string, number int, b []byte) (etag string, err error) {
	query := url.Values{"uploadId": {id}, "partNumber": {strconv.Itoa(number)}}
	return s.done(http.MethodPut, path, query, bytes.NewReader(b), int64(len(b)))
}

func (s *server) complete(path, id string, etags []string) error {
	var b bytes.Buffer
	b.WriteString("<CompleteMultipartUpload>")
	for i, e := range etags {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, e)
	}
	b.WriteString("</CompleteMultipartUpload>")
	_, err := s.done(http.MethodPost, path, url.Values{"uploadId": {id}}, &b, int64(b.Len()))
	return err
}

// drop empties a bucket and deletes it.
func (s *server) drop(bucket string) error {
	for {
		answer, err := s.do(http.MethodGet, bucket, url.Values{"list-type": {"2"}}, nil, 0)
		if err != nil {
			return err
		}
		var page struct {
			Contents []struct{ Key string }
		}
		err = xml.NewDecoder(answer.Body).Decode(&page)
		answer.Body.Close()
		if err != nil {
			return err
		}
		if len(page.Contents) == 0 {
			break
		}
		keys := make(chan string)
		go func() {
			defer close(keys)
			for _, o := range page.Contents {
				keys <- o.Key
			}
		}()
		err = each(16, keys, func(key string) error {
			_, err := s.done(http.MethodDelete, bucket+"/"+(&url.URL{Path: key}).EscapedPath(), nil, nil, 0)
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := s.done(http.MethodDelete, bucket, nil, nil, 0)
	return err
}
