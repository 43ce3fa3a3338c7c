package azure

import (
	"bytes"
	"context"
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

// upload is one Put. MD5 is the only checksum that Azure compares and that can be computed in advance. So
// learn reads the source once to compute its MD5, and compares the content with sums in the same pass. Then
// the MD5 proves the same content as sums.
type upload struct {
	store *adapter
	key   string
	src   *cloud.CheckedBody
	sums  store.Sums
	md5   []byte // of the content with these sums; nil until learn has computed it
}

// Put implements store.Store. It sends a large object in blocks: see blocks.go.
func (s *adapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	p := &upload{store: s, key: key, src: cloud.NewBodyUntil(ctx, body, sums.Size), sums: sums}
	send := p.whole
	if sums.Size > cloud.SingleMax {
		send = p.inBlocks
		// Compare first, so that a large object is not sent in vain: Azure refuses blocks only at the end.
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

// learn computes the source's MD5. It returns store.ErrMismatch if the content differs from sums.
func (p *upload) learn(ctx context.Context) error {
	if p.md5 != nil {
		return nil
	}
	sums := digest.NewMD5()
	if err := cloud.CopyBody(ctx, sums, p.src.Section(0, p.sums.Size)); err != nil {
		return err
	}
	if sums.Sums() != p.sums {
		return store.ErrMismatch
	}
	p.md5 = sums.MD5()
	return nil
}

// whole sends an object in one request. The server compares the content with the MD5.
func (p *upload) whole(ctx context.Context) error {
	if err := p.learn(ctx); err != nil {
		return err
	}
	out, err := p.blob().Upload(ctx, newRequestBody(p.src, 0, p.sums.Size), &blockblob.UploadOptions{
		TransactionalValidation: blob.TransferValidationTypeMD5(p.md5),
		HTTPHeaders:             &blob.HTTPHeaders{BlobContentMD5: p.md5},
		Tier:                    p.store.tierFor(p.key),
		AccessConditions:        onlyNew(),
	})
	if err == nil {
		err = acknowledged(out.RequestID, out.ETag)
	}
	if err != nil {
		return fmt.Errorf("Put Blob: %w", err)
	}
	return nil
}

func (p *upload) blob() *blockblob.Client {
	return p.store.client.NewBlockBlobClient(p.store.Prefix + p.key)
}

// onlyNew returns the condition with which a request fails if the object exists.
func onlyNew() *blob.AccessConditions {
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
}

// afterFailure determines the outcome of a failed Put. The answer may have been lost, or another writer may
// have been faster. Then the existing object decides. If again is set, the Put should be sent again.
func (p *upload) afterFailure(ctx context.Context, err error) (stored store.PutResult, again bool, _ error) {
	var broken *cloud.BodyError
	switch k := dialect.Classify(err); {
	case errors.As(err, &broken) || errors.Is(err, store.ErrMismatch):
		return stored, false, err
	case ctx.Err() != nil:
		return stored, false, ctx.Err()
	case isBadDigest(err):
		// The content changed in transit or before. Reading the source again decides.
		if changed := p.src.Check(ctx, p.sums); changed != nil {
			return stored, false, changed
		}
		return stored, true, err
	case k == cloud.NoBucket || k == cloud.BadCredentials || k == cloud.Misconfigured || k == cloud.Unreachable || k == cloud.Blocked:
		return stored, false, err // a comparison would fail in the same way
	}
	stored, lookErr := p.compareExisting(ctx)
	switch {
	case lookErr == nil || errors.Is(lookErr, store.ErrExists) || errors.Is(lookErr, store.ErrMismatch):
		return stored, false, lookErr
	case dialect.KindOf(lookErr) == cloud.NotFound:
		// The object that was in the way has been deleted, or another writer's commit dropped our blocks.
		return stored, dialect.Classify(err) == cloud.Precondition || bloberror.HasCode(err, bloberror.InvalidBlockList, bloberror.InvalidBlobOrBlock), err
	}
	if dialect.Classify(err) == cloud.Precondition || dialect.KindOf(lookErr) == cloud.BadCredentials {
		return stored, false, lookErr // an object is there, and what prevents reading it is the cause
	}
	return stored, false, err
}

// isBadDigest reports whether the server refused the content because of its MD5. Azurite has its own code for
// that.
func isBadDigest(err error) bool {
	return bloberror.HasCode(err, bloberror.MD5Mismatch, bloberror.InvalidMD5) ||
		bloberror.HasCode(err, bloberror.InvalidOperation) && dialect.Classify(err) == cloud.Other
}

// compareExisting compares the existing object with sums. An equal object is success, another one is
// ErrExists. The error has Kind NotFound if no object exists. It reads small objects, and those without an
// MD5, which another program has made. Of an archived object it compares the size and the MD5 alone. Its creator has set
// that MD5, so the result has Frozen, and no caller takes it for the promised content.
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
	isUnread := there.Frozen != "" && there.MD5 != ""
	if there.MD5 == "" || p.sums.Size <= cloud.CompareMax && !isUnread {
		got, err := p.readBack(ctx)
		if err != nil {
			return store.PutResult{}, err
		}
		if got != p.sums {
			return store.PutResult{}, p.store.Exists(p.key)
		}
	}
	return store.PutResult{Existed: true, MD5: there.MD5, Frozen: there.Frozen}, nil
}

// readBack reads the existing object and returns its sums.
func (p *upload) readBack(ctx context.Context) (store.Sums, error) {
	r, err := p.store.Get(ctx, p.key, 0, -1)
	if err != nil {
		return store.Sums{}, err
	}
	defer r.Close()
	return cloud.SumUp(ctx, r)
}
