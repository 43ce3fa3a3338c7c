package azure

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
)

// upload is one Put. Azure verifies MD5 and nothing else that could be computed here
// beforehand. So the source is read once to learn its MD5, and in the same pass compared
// with what sums promises: the MD5 is then as good as the promise.
type upload struct {
	store *adapter
	key   string
	src   *cloud.CheckedBody
	sums  store.Sums
	md5   []byte // of the promised content; nil: not known yet
}

// Put implements store.Store. What is large is sent in blocks: see azureblocks.go.
func (s *adapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	p := &upload{store: s, key: key, src: cloud.NewBodyUntil(ctx, body, sums.Size), sums: sums}
	send := p.whole
	if sums.Size > cloud.SingleMax {
		send = p.inBlocks
		// What is large is not sent in vain: unlike one request, blocks are not refused.
		if stored, err := p.compareExisting(ctx); dialect.KindOf(err) != cloud.NotFound {
			return stored, s.fail("putting", key, err)
		}
	}
	for round := 1; ; round++ {
		err := send(ctx)
		if err == nil {
			return store.PutResult{MD5: hex.EncodeToString(p.md5)}, nil
		}
		stored, again, err := p.afterFailure(ctx, err)
		if !again || round == cloud.PutRounds {
			return stored, s.fail("putting", key, err)
		}
		select {
		case <-time.After(cloud.Backoff(round)):
		case <-ctx.Done():
			return store.PutResult{}, s.fail("putting", key, ctx.Err())
		}
	}
}

// learn reads the source for its MD5 and compares it with the promise.
func (p *upload) learn(ctx context.Context) error {
	if p.md5 != nil {
		return nil
	}
	sum, all := md5.New(), digest.New()
	if err := cloud.CopyBody(ctx, io.MultiWriter(sum, all), p.src.Section(0, p.sums.Size)); err != nil {
		return err
	}
	if all.Sums() != p.sums {
		return store.ErrMismatch
	}
	p.md5 = sum.Sum(nil)
	return nil
}

// whole sends an object in one request. The server compares what it gets with the MD5.
func (p *upload) whole(ctx context.Context) error {
	if err := p.learn(ctx); err != nil {
		return err
	}
	_, err := p.blob().Upload(ctx, newRequestBody(p.src, 0, p.sums.Size), &blockblob.UploadOptions{
		TransactionalValidation: blob.TransferValidationTypeMD5(p.md5),
		HTTPHeaders:             &blob.HTTPHeaders{BlobContentMD5: p.md5},
		AccessConditions:        onlyNew(),
	})
	if err != nil {
		return fmt.Errorf("Put Blob: %w", err)
	}
	return nil
}

func (p *upload) blob() *blockblob.Client {
	return p.store.client.NewBlockBlobClient(p.store.prefix + p.key)
}

// onlyNew is the condition that nothing is there.
func onlyNew() *blob.AccessConditions {
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
}

// afterFailure finds out what a failed Put has come to. Its answer may have been lost, or
// another writer was faster: then what is there decides. With again set, it is worth
// sending once more.
func (p *upload) afterFailure(ctx context.Context, err error) (stored store.PutResult, again bool, _ error) {
	var broken *cloud.BodyError
	switch k := dialect.Classify(err); {
	case errors.As(err, &broken) || errors.Is(err, store.ErrMismatch):
		return stored, false, err
	case ctx.Err() != nil:
		return stored, false, ctx.Err()
	case isBadDigest(err):
		// Changed on the way, or before? What the source says now decides.
		if changed := p.src.Check(ctx, p.sums); changed != nil {
			return stored, false, changed
		}
		return stored, true, err
	case k == cloud.NoBucket || k == cloud.BadCredentials || k == cloud.Misconfigured || k == cloud.Unreachable:
		return stored, false, err // looking would fail the same way
	}
	stored, lookErr := p.compareExisting(ctx)
	switch {
	case lookErr == nil || errors.Is(lookErr, store.ErrExists) || errors.Is(lookErr, store.ErrMismatch):
		return stored, false, lookErr
	case dialect.KindOf(lookErr) == cloud.NotFound:
		// What was in the way is gone; or another's commit threw away our blocks.
		return stored, dialect.Classify(err) == cloud.Precondition || bloberror.HasCode(err, bloberror.InvalidBlockList, bloberror.InvalidBlobOrBlock), err
	}
	return stored, false, err
}

// isBadDigest reports whether the server refused what it got for its MD5. Azurite has a
// code of its own for it.
func isBadDigest(err error) bool {
	return bloberror.HasCode(err, bloberror.MD5Mismatch, bloberror.InvalidMD5) ||
		bloberror.HasCode(err, bloberror.InvalidOperation) && sortError(err) == cloud.Other
}

// compareExisting compares the object that is there with what was to be put: the same is success,
// another is ErrExists. The error is of Kind NotFound when there is none. Small objects
// and those without an MD5, which another program has made, are read and compared.
func (p *upload) compareExisting(ctx context.Context) (store.PutResult, error) {
	there, err := p.store.Stat(ctx, p.key)
	if err != nil {
		return store.PutResult{}, err
	}
	if there.Size != p.sums.Size {
		return store.PutResult{}, p.store.Exists(p.key)
	}
	if there.MD5 != "" {
		if err := p.learn(ctx); err != nil {
			return store.PutResult{}, p.store.fail("putting", p.key, err)
		}
		if was, err := hex.DecodeString(there.MD5); err != nil || !bytes.Equal(was, p.md5) {
			return store.PutResult{}, p.store.Exists(p.key)
		}
	}
	if there.MD5 == "" || p.sums.Size <= cloud.CompareMax {
		got, err := p.readBack(ctx)
		if err != nil {
			return store.PutResult{}, err
		}
		if got != p.sums {
			return store.PutResult{}, p.store.Exists(p.key)
		}
	}
	return store.PutResult{Existed: true, MD5: there.MD5}, nil
}

// readBack reads the object that is there and gives its sums.
func (p *upload) readBack(ctx context.Context) (store.Sums, error) {
	r, err := p.store.Get(ctx, p.key, 0, -1)
	if err != nil {
		return store.Sums{}, err
	}
	defer r.Close()
	return cloud.SumUp(ctx, r)
}
