package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// partSums is the content of one request, and the checksums that the server compares with it.
type partSums struct {
	body io.ReadSeeker
	crc  manifest.CRC32C
	md5  *string // header Content-MD5; nil omits it
}

// crcHeader returns the value of the header with the checksum; nil omits it.
func (s *settings) crcHeader(crc manifest.CRC32C) *string {
	if s.checksum != checksumCRC32C {
		return nil
	}
	return CrcToHeader(crc)
}

// errUnacknowledged means that an answer has neither an ETag nor a checksum. Something else may have answered in place of
// the service, so the object that exists decides.
var errUnacknowledged = errors.New("the answer does not acknowledge that anything was stored: it has no ETag; " +
	"check the endpoint, and the proxies on the way")

// errUnconfirmed means that a service stored an object without a statement that it compared the checksum.
var errUnconfirmed = fmt.Errorf("%w: it stored the object without confirming its CRC-32C; "+
	"write checksum=md5 in the URL if it supports that, or checksum=none to do without", store.ErrWeakStore)

// checked returns store.ErrWeakStore if a service stored an object and did not return its checksum, which
// shows that it compared it. etag shows that it stored something.
func (s *settings) checked(etag, echo *string, promised manifest.CRC32C) error {
	got, ok := crcFromHeader(echo)
	switch {
	case s.checksum == checksumCRC32C && ok && got == promised:
		return nil
	case tagOf(etag) == "":
		return errUnacknowledged
	case s.checksum == checksumCRC32C:
		return errUnconfirmed
	}
	return nil
}

// tagOf returns an ETag in the one form in which tags are compared, in quotes. Services and proxies write them without
// quotes, too, or mark them as weak, and not the same in all answers. It returns "" if there is none.
func tagOf(etag *string) string {
	tag := strings.Trim(strings.TrimPrefix(strings.TrimSpace(aws.ToString(etag)), "W/"), `"`)
	if tag == "" {
		return ""
	}
	return `"` + tag + `"`
}

// partSumsOf reads a section of the source and computes its checksums. If the server compares CRC-32C, the
// source is read once more to send the bytes. Otherwise the bytes are held in memory, so that exactly the
// bytes with these checksums are sent.
func (s *settings) partSumsOf(ctx context.Context, src *cloud.CheckedBody, offset, size int64) (partSums, error) {
	section := src.Section(offset, size)
	if s.checksum == checksumCRC32C {
		crc, err := src.Crc(ctx, offset, size)
		return partSums{body: section, crc: crc}, err
	}
	b := make([]byte, size)
	if err := ctx.Err(); err != nil {
		return partSums{}, err
	}
	if _, err := io.ReadFull(section, b); err != nil {
		return partSums{}, err
	}
	out := partSums{body: bytes.NewReader(b), crc: manifest.CRC32C(crc32.Checksum(b, digest.Castagnoli))}
	if s.checksum == checksumMD5 {
		sum := md5.Sum(b)
		header := base64.StdEncoding.EncodeToString(sum[:])
		out.md5 = &header
	}
	return out, nil
}

// mode returns whether HeadObject requests the checksum.
func (s *settings) mode() types.ChecksumMode {
	if s.checksum != checksumCRC32C {
		return ""
	}
	return types.ChecksumModeEnabled
}

// withSum sends a request that S3 accepts only with a checksum of its body. The SDK's own is CRC32, which some services
// do not know. send gets CRC-32C, or "" and an option for MD5, if the URL or the service demands that.
func (s *adapter) withSum(send func(types.ChecksumAlgorithm, ...func(*s3.Options)) error) error {
	if s.checksum == checksumCRC32C && !s.demandsMD5.Load() {
		err := send(types.ChecksumAlgorithmCrc32c)
		if !missesMD5(err) {
			return err
		}
		s.demandsMD5.Store(true)
	}
	return send("", withMD5)
}

// missesMD5 reports whether a service refused a request for the checksum of its body.
func missesMD5(err error) bool {
	a, ok := answerOf(err)
	if !ok || badDigest(err) {
		return false
	}
	text := strings.ToLower(a.Text)
	return a.Code == "MissingContentMD5" || strings.Contains(text, "checksum") || strings.Contains(text, "content-md5")
}

// withMD5 is an option that replaces the SDK's checksum by MD5.
func withMD5(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		if _, err := stack.Initialize.Remove("AWSChecksum:SetupInputContext"); err != nil {
			return fmt.Errorf("replacing the checksum: %w", err)
		}
		if _, err := stack.Finalize.Remove("AWSChecksum:ComputeInputPayloadChecksum"); err != nil {
			return fmt.Errorf("replacing the checksum: %w", err)
		}
		return smithyhttp.AddContentChecksumMiddleware(stack)
	})
}
