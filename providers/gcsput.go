package providers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"google.golang.org/api/googleapi"
	gcs "google.golang.org/api/storage/v1"

	"github.com/strongroom-dev/strongroom/archive"
)

const (
	gcsChunk    = 8 << 20 // what a large object is sent in, and its buffer
	gcsLookSize = 1 << 20 // from this size on is looked, before an object is sent in vain

	gcsContentType = "application/octet-stream"
)

// Put implements archive.Store. The service makes the object only where there is none,
// and only when what it got has the CRC-32C that sums promises. What is sent is hashed,
// and an upload ends only if that is what was promised.
func (s *gcsStore) Put(ctx context.Context, key string, body io.ReaderAt, sums archive.Sums) (archive.Stored, error) {
	if err := checkKey(key); err != nil {
		return archive.Stored{}, s.fail("putting", key, err)
	}
	stored, err := s.put(ctx, key, &source{body, sums.Size}, sums)
	return stored, s.fail("putting", key, err)
}

func (s *gcsStore) put(ctx context.Context, key string, src *source, sums archive.Sums) (archive.Stored, error) {
	if sums.Size >= gcsLookSize {
		if stored, err := s.settle(ctx, key, sums); classify1(err) != NotFound {
			return stored, err
		}
	}
	if sums.Size > singleMax {
		select {
		case s.uploads <- struct{}{}:
			defer func() { <-s.uploads }()
		case <-ctx.Done():
			return archive.Stored{}, ctx.Err()
		}
	}
	var err error
	for attempt := 1; ; attempt++ {
		if err = s.insert(ctx, key, src, sums); err == nil {
			return archive.Stored{}, nil
		}
		// Chunks have attempts of their own.
		more := attempt < putRounds || sums.Size <= singleMax
		if ctx.Err() != nil || !more || !(gcsPasses(err, attempt) || gcsBadChecksum(err) && attempt < putRounds) {
			break
		}
		if pause(ctx, backoff(attempt)) != nil {
			break
		}
	}
	return s.afterFailure(ctx, key, sums, err)
}

// afterFailure finds out what a failed Put has come to. Its answer may have been lost, or
// another writer was faster: then what is there decides.
func (s *gcsStore) afterFailure(ctx context.Context, key string, sums archive.Sums, err error) (archive.Stored, error) {
	var broken *sourceError
	switch k := classify(err); {
	case errors.As(err, &broken) || errors.Is(err, archive.ErrMismatch):
		return archive.Stored{}, err
	case ctx.Err() != nil:
		return archive.Stored{}, ctx.Err()
	case k == NotFound && !s.seen.Load():
		return archive.Stored{}, errGCSNoBucket // nothing else can be missing but an upload's session
	case k == NoBucket || k == BadCredentials || k == Misconfigured || k == Unreachable:
		return archive.Stored{}, err // looking would fail the same way
	}
	stored, lookErr := s.settle(ctx, key, sums)
	if lookErr == nil || errors.Is(lookErr, archive.ErrExists) {
		return stored, lookErr
	}
	return archive.Stored{}, err
}

// settle compares the object that is there with what was to be put: the same is success,
// another is ErrExists. The error is of Kind NotFound when there is none.
func (s *gcsStore) settle(ctx context.Context, key string, sums archive.Sums) (archive.Stored, error) {
	o, err := s.Stat(ctx, key)
	switch {
	case err != nil:
		return archive.Stored{}, err
	case o.Size != sums.Size, o.CRC32C != nil && *o.CRC32C != sums.CRC32C:
		return archive.Stored{}, s.exists(key)
	case o.CRC32C != nil && sums.Size > compareMax:
		return archive.Stored{Existed: true}, nil
	}
	r, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return archive.Stored{}, err
	}
	defer r.Close()
	got, err := sumUp(ctx, r)
	if err != nil {
		return archive.Stored{}, err
	}
	if got != sums {
		return archive.Stored{}, s.exists(key)
	}
	return archive.Stored{Existed: true}, nil
}

// insert sends an object: in one request or, beyond singleMax, in chunks, each of which
// is sent again when it fails.
func (s *gcsStore) insert(ctx context.Context, key string, src *source, sums archive.Sums) error {
	content := &promised{ctx: ctx, r: src.section(0, sums.Size), sums: sums, got: newSummer()}
	object := &gcs.Object{Name: s.prefix + key, Crc32c: *crcToHeader(sums.CRC32C), ContentType: gcsContentType}
	send := s.sendWhole
	if sums.Size > singleMax {
		send = s.sendChunks
	}
	made, err := send(ctx, object, content)
	if broken := content.stop(); broken != nil {
		return broken // the service's error, if any, comes from that
	}
	if err != nil {
		return fmt.Errorf("inserting: %w", err)
	}
	s.seen.Store(true)
	return s.verify(ctx, key, made, sums)
}

// sendChunks begins an upload and sends it in chunks. Without its last one it makes nothing.
func (s *gcsStore) sendChunks(ctx context.Context, object *gcs.Object, content *promised) (*gcs.Object, error) {
	return s.service.Objects.Insert(s.bucketName, object).IfGenerationMatch(0).Fields(gcsFields).
		Media(content, googleapi.ContentType(gcsContentType), googleapi.ChunkSize(gcsChunk),
			googleapi.ChunkRetryDeadline(maxStandstills*s.timeout)).
		Context(ctx).Do()
}

// sendWhole sends an object in one request, which is not buffered. The generated client
// does not say how long that is, and writes the end of the request's last part even when
// the content breaks off.
func (s *gcsStore) sendWhole(ctx context.Context, object *gcs.Object, content *promised) (*gcs.Object, error) {
	described, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	boundary := rand.Text()
	head := fmt.Sprintf("--%[1]s\r\nContent-Type: application/json\r\n\r\n%[2]s\r\n--%[1]s\r\nContent-Type: %[3]s\r\n\r\n", boundary, described, gcsContentType)
	tail := "\r\n--" + boundary + "--\r\n"
	query := url.Values{"uploadType": {"multipart"}, "ifGenerationMatch": {"0"}, "alt": {"json"}, "prettyPrint": {"false"}, "fields": {gcsFields}}
	to := googleapi.ResolveRelative(s.service.BasePath, "/upload/storage/v1/b/"+s.bucketName+"/o") + "?" + query.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, io.MultiReader(strings.NewReader(head), content, strings.NewReader(tail)))
	if err != nil {
		return nil, err
	}
	r.ContentLength = int64(len(head)) + content.sums.Size + int64(len(tail))
	r.Header.Set("Content-Type", "multipart/related; boundary="+boundary)
	r.Header.Set("User-Agent", gcsUserAgent)
	response, err := s.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer googleapi.CloseBody(response)
	if err := googleapi.CheckResponse(response); err != nil {
		return nil, err
	}
	made := &gcs.Object{}
	return made, json.NewDecoder(response.Body).Decode(made)
}

// verify compares what the service says it has made with the promise. The service itself
// does so before it makes anything; one that does not is not trusted with the object,
// which nobody has been told of yet.
func (s *gcsStore) verify(ctx context.Context, key string, made *gcs.Object, sums archive.Sums) error {
	o := s.object(made)
	if o.Size == sums.Size && o.CRC32C != nil && *o.CRC32C == sums.CRC32C {
		return nil
	}
	has := "no checksum"
	if o.CRC32C != nil {
		has = "CRC-32C " + o.CRC32C.String()
	}
	err := fmt.Errorf("the service made an object of %d bytes and %s of %d bytes and CRC-32C %s", o.Size, has, sums.Size, sums.CRC32C)
	if made.Generation == 0 {
		return fmt.Errorf("%w; it could not be deleted: its generation is not known", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	gone := s.try(ctx, s.short(), func(ctx context.Context) error {
		return s.service.Objects.Delete(s.bucketName, s.prefix+key).Generation(made.Generation).Context(ctx).Do()
	})
	if gone != nil && classify(gone) != NotFound {
		return fmt.Errorf("%w; it could not be deleted: %w", err, gone)
	}
	return fmt.Errorf("%w; it is deleted again", err)
}

// promised reads content that must be what was promised: at its end there is an error
// instead of an io.EOF if it is not, so that the upload never ends well.
type promised struct {
	mu   sync.Mutex
	ctx  context.Context
	r    io.Reader
	sums archive.Sums
	got  *summer
	err  error // of the content
}

// Read implements io.Reader.
func (p *promised) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.r.Read(b)
	if canceled := p.ctx.Err(); canceled != nil { // also while reading: the rest is not sent
		return 0, canceled
	}
	p.got.Write(b[:n])
	switch {
	case errors.Is(err, io.EOF) && p.got.sums() != p.sums:
		p.err = &sourceError{archive.ErrMismatch}
		return 0, p.err
	case err != nil && !errors.Is(err, io.EOF):
		p.err = err
	}
	return n, err
}

// stop ends the reading and tells why it failed, if it did. net/http may still read when
// a request is over.
func (p *promised) stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.err
	if err == nil {
		p.err = errStopped
	}
	return err
}

var errStopped = errors.New("the request is over")

// gcsMD5 turns the service's base64 into hex digits.
func gcsMD5(b64 string) string {
	b, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(b)
}
