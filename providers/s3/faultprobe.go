package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.FaultProbe = (*adapter)(nil)

// PutWithWrongChecksum implements store.FaultProbe.
func (s *adapter) PutWithWrongChecksum(ctx context.Context, key string, content []byte) error {
	wrong := partSums{body: bytes.NewReader(content), crc: cloud.PromiseOf(content).CRC32C + 1}
	if s.checksum == checksumMD5 {
		sum := md5.Sum(append([]byte("not "), content...))
		header := base64.StdEncoding.EncodeToString(sum[:])
		wrong.md5 = &header
	}
	_, err := s.putOne(ctx, key, wrong, int64(len(content)))
	if badDigest(err) {
		err = store.ErrMismatch
	}
	return s.fail("putting", key, err)
}

// DeleteVersion implements store.FaultProbe.
func (s *adapter) DeleteVersion(ctx context.Context, key, version string) error {
	return s.deleteGood(ctx, []store.Object{{Key: key, Version: version}}, false)
}

// PutOverExisting implements store.FaultProbe.
func (s *adapter) PutOverExisting(ctx context.Context, key string, content []byte) error {
	sums := cloud.PromiseOf(content)
	_, err := s.putParts(ctx, key, cloud.NewBody(bytes.NewReader(content), sums.Size), sums)
	if err != nil && dialect.Classify(err) == cloud.Precondition {
		return s.Exists(key)
	}
	return s.fail("putting", key, err)
}
