package providers

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
)

// These are the services that store.FaultProbe is for. Each sends what Put would not: content
// that is not what is promised, and content for a key under which something lies.
var (
	_ store.FaultProbe = (*s3Store)(nil)
	_ store.FaultProbe = (*azureStore)(nil)
	_ store.FaultProbe = (*gcsStore)(nil)
)

// promiseOf is what is promised of content: the truth.
func promiseOf(content []byte) store.Sums {
	s := digest.New()
	s.Write(content)
	return s.Sums()
}

// PutWithWrongChecksum implements store.FaultProbe.
func (s *s3Store) PutWithWrongChecksum(ctx context.Context, key string, content []byte) error {
	wrong := partSums{body: bytes.NewReader(content), crc: promiseOf(content).CRC32C + 1}
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

// PutOverExisting implements store.FaultProbe.
func (s *s3Store) PutOverExisting(ctx context.Context, key string, content []byte) error {
	sums := promiseOf(content)
	_, err := s.putParts(ctx, key, &checkedBody{bytes.NewReader(content), sums.Size}, sums)
	if err != nil && classify(err) == Precondition {
		return s.exists(key)
	}
	return s.fail("putting", key, err)
}

// PutWithWrongChecksum implements store.FaultProbe.
func (s *azureStore) PutWithWrongChecksum(ctx context.Context, key string, content []byte) error {
	sums := promiseOf(content)
	wrong := md5.Sum(append([]byte("not "), content...))
	p := &azurePut{store: s, key: key, src: &checkedBody{bytes.NewReader(content), sums.Size}, sums: sums}
	_, err := p.blob().Upload(ctx, newAzureBody(p.src, 0, sums.Size), &blockblob.UploadOptions{
		TransactionalValidation: blob.TransferValidationTypeMD5(wrong[:]),
		HTTPHeaders:             &blob.HTTPHeaders{BlobContentMD5: wrong[:]},
		AccessConditions:        onlyNew(),
	})
	if azureBadDigest(err) {
		err = store.ErrMismatch
	}
	return s.fail("putting", key, err)
}

// PutOverExisting implements store.FaultProbe.
func (s *azureStore) PutOverExisting(ctx context.Context, key string, content []byte) error {
	sums := promiseOf(content)
	p := &azurePut{store: s, key: key, src: &checkedBody{bytes.NewReader(content), sums.Size}, sums: sums}
	err := p.inBlocks(ctx)
	if err != nil && classify(err) == Precondition {
		return s.exists(key)
	}
	return s.fail("putting", key, err)
}

// PutWithWrongChecksum implements store.FaultProbe.
func (s *gcsStore) PutWithWrongChecksum(ctx context.Context, key string, content []byte) error {
	wrong := promiseOf(content)
	wrong.CRC32C++
	w := s.writer(ctx, key, wrong)
	_, err := w.Write(content)
	if err = errors.Join(err, w.Close()); gcsBadChecksum(err) {
		err = store.ErrMismatch
	}
	if err != nil {
		err = fmt.Errorf("inserting: %w", err)
	}
	return s.fail("putting", key, err)
}

// PutOverExisting implements store.FaultProbe.
func (s *gcsStore) PutOverExisting(ctx context.Context, key string, content []byte) error {
	sums := promiseOf(content)
	err := s.insert(ctx, key, &checkedBody{bytes.NewReader(content), sums.Size}, sums)
	if err != nil && classify(err) == Precondition {
		return s.exists(key)
	}
	return s.fail("putting", key, err)
}
