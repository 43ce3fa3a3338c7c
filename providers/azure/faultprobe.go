package azure

import (
	"bytes"
	"context"
	"crypto/md5"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.FaultProbe = (*adapter)(nil)

// PutWithWrongChecksum implements store.FaultProbe.
func (s *adapter) PutWithWrongChecksum(ctx context.Context, key string, content []byte) error {
	sums := cloud.PromiseOf(content)
	wrong := md5.Sum(append([]byte("not "), content...))
	p := &upload{store: s, key: key, src: cloud.NewBody(bytes.NewReader(content), sums.Size), sums: sums}
	_, err := p.blob().Upload(ctx, newRequestBody(p.src, 0, sums.Size), &blockblob.UploadOptions{
		TransactionalValidation: blob.TransferValidationTypeMD5(wrong[:]),
		HTTPHeaders:             &blob.HTTPHeaders{BlobContentMD5: wrong[:]},
		AccessConditions:        onlyNew(),
	})
	if isBadDigest(err) {
		err = store.ErrMismatch
	}
	return s.fail("putting", key, err)
}

// DeleteVersion implements store.FaultProbe. The adapter itself compares no versions.
func (s *adapter) DeleteVersion(ctx context.Context, key, version string) error {
	return s.Delete(ctx, []store.Object{{Key: key, Version: version}})
}

// PutOverExisting implements store.FaultProbe.
func (s *adapter) PutOverExisting(ctx context.Context, key string, content []byte) error {
	sums := cloud.PromiseOf(content)
	p := &upload{store: s, key: key, src: cloud.NewBody(bytes.NewReader(content), sums.Size), sums: sums}
	err := p.inBlocks(ctx)
	if err != nil && dialect.Classify(err) == cloud.Precondition {
		return s.Exists(key)
	}
	return s.fail("putting", key, err)
}
