package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// partSums is what one request sends, and what the server is to compare it with.
type partSums struct {
	body io.ReadSeeker
	crc  manifest.CRC32C
	md5  *string // header Content-MD5; nil: not sent
}

// crcHeader is the header with the checksum; nil: not sent.
func (s *settings) crcHeader(crc manifest.CRC32C) *string {
	if s.checksum != checksumCRC32C {
		return nil
	}
	return CrcToHeader(crc)
}

// checked refuses the answer of a service that took an object and does not say that it has
// compared it with the promised checksum.
func (s *settings) checked(echo *string, promised manifest.CRC32C) error {
	if s.checksum != checksumCRC32C {
		return nil
	}
	if got, ok := crcFromHeader(echo); !ok || got != promised {
		return fmt.Errorf("%w: it took the object and did not say that it had compared it with its CRC-32C; write checksum=md5 in the URL if it knows that, or checksum=none to do without", store.ErrWeakStore)
	}
	return nil
}

// partSumsOf reads a stretch of the source for its checksums. A server that compares
// CRC-32C gets the bytes from the source, which is read once more for that. For any other
// they are held in memory, so that what was summed up is what is sent.
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

// mode is what a look at an object asks for.
func (s *settings) mode() types.ChecksumMode {
	if s.checksum != checksumCRC32C {
		return ""
	}
	return types.ChecksumModeEnabled
}

// sum is an option for requests that S3 takes only with a checksum of what they say.
// The SDK sends CRC32, which services without checksums do not know.
func (s *settings) sum(o *s3.Options) {
	if s.checksum == checksumCRC32C {
		return
	}
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
