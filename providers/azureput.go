package providers

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

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
)

// azurePut is one Put. Azure verifies MD5 and nothing else that could be computed here
// beforehand. So the source is read once to learn its MD5, and in the same pass compared
// with what sums promises: the MD5 is then as good as the promise.
type azurePut struct {
	store *azureStore
	key   string
	src   *checkedBody
	sums  store.Sums
	md5   []byte // of the promised content; nil: not known yet
}

// Put implements store.Store. What is large is sent in blocks: see azureblocks.go.
func (s *azureStore) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if err := checkKey(key); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	p := &azurePut{store: s, key: key, src: &checkedBody{cancelReaderAt{ctx, body}, sums.Size}, sums: sums}
	send := p.whole
	if sums.Size > singleMax {
		send = p.inBlocks
		// What is large is not sent in vain: unlike one request, blocks are not refused.
		if stored, err := p.compareExisting(ctx); kindOf(err) != NotFound {
			return stored, s.fail("putting", key, err)
		}
	}
	for round := 1; ; round++ {
		err := send(ctx)
		if err == nil {
			return store.PutResult{MD5: hex.EncodeToString(p.md5)}, nil
		}
		stored, again, err := p.afterFailure(ctx, err)
		if !again || round == putRounds {
			return stored, s.fail("putting", key, err)
		}
		select {
		case <-time.After(backoff(round)):
		case <-ctx.Done():
			return store.PutResult{}, s.fail("putting", key, ctx.Err())
		}
	}
}

// learn reads the source for its MD5 and compares it with the promise.
func (p *azurePut) learn(ctx context.Context) error {
	if p.md5 != nil {
		return nil
	}
	sum, all := md5.New(), digest.New()
	if err := copyBody(ctx, io.MultiWriter(sum, all), p.src.section(0, p.sums.Size)); err != nil {
		return err
	}
	if all.Sums() != p.sums {
		return store.ErrMismatch
	}
	p.md5 = sum.Sum(nil)
	return nil
}

// whole sends an object in one request. The server compares what it gets with the MD5.
func (p *azurePut) whole(ctx context.Context) error {
	if err := p.learn(ctx); err != nil {
		return err
	}
	_, err := p.blob().Upload(ctx, newAzureBody(p.src, 0, p.sums.Size), &blockblob.UploadOptions{
		TransactionalValidation: blob.TransferValidationTypeMD5(p.md5),
		HTTPHeaders:             &blob.HTTPHeaders{BlobContentMD5: p.md5},
		AccessConditions:        onlyNew(),
	})
	if err != nil {
		return fmt.Errorf("Put Blob: %w", err)
	}
	return nil
}

func (p *azurePut) blob() *blockblob.Client {
	return p.store.client.NewBlockBlobClient(p.store.prefix + p.key)
}

// onlyNew is the condition that nothing is there.
func onlyNew() *blob.AccessConditions {
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
}

// afterFailure finds out what a failed Put has come to. Its answer may have been lost, or
// another writer was faster: then what is there decides. With again set, it is worth
// sending once more.
func (p *azurePut) afterFailure(ctx context.Context, err error) (stored store.PutResult, again bool, _ error) {
	var broken *bodyError
	switch k := classify(err); {
	case errors.As(err, &broken) || errors.Is(err, store.ErrMismatch):
		return stored, false, err
	case ctx.Err() != nil:
		return stored, false, ctx.Err()
	case azureBadDigest(err):
		// Changed on the way, or before? What the source says now decides.
		if changed := p.src.check(ctx, p.sums); changed != nil {
			return stored, false, changed
		}
		return stored, true, err
	case k == NoBucket || k == BadCredentials || k == Misconfigured || k == Unreachable:
		return stored, false, err // looking would fail the same way
	}
	stored, lookErr := p.compareExisting(ctx)
	switch {
	case lookErr == nil || errors.Is(lookErr, store.ErrExists) || errors.Is(lookErr, store.ErrMismatch):
		return stored, false, lookErr
	case kindOf(lookErr) == NotFound:
		// What was in the way is gone; or another's commit threw away our blocks.
		return stored, classify(err) == Precondition || bloberror.HasCode(err, bloberror.InvalidBlockList, bloberror.InvalidBlobOrBlock), err
	}
	return stored, false, err
}

// azureBadDigest reports whether the server refused what it got for its MD5. Azurite has a
// code of its own for it.
func azureBadDigest(err error) bool {
	return bloberror.HasCode(err, bloberror.MD5Mismatch, bloberror.InvalidMD5) ||
		bloberror.HasCode(err, bloberror.InvalidOperation) && classifyAzure(err) == Other
}

// compareExisting compares the object that is there with what was to be put: the same is success,
// another is ErrExists. The error is of Kind NotFound when there is none. Small objects
// and those without an MD5, which another program has made, are read and compared.
func (p *azurePut) compareExisting(ctx context.Context) (store.PutResult, error) {
	there, err := p.store.Stat(ctx, p.key)
	if err != nil {
		return store.PutResult{}, err
	}
	if there.Size != p.sums.Size {
		return store.PutResult{}, p.store.exists(p.key)
	}
	if there.MD5 != "" {
		if err := p.learn(ctx); err != nil {
			return store.PutResult{}, p.store.fail("putting", p.key, err)
		}
		if was, err := hex.DecodeString(there.MD5); err != nil || !bytes.Equal(was, p.md5) {
			return store.PutResult{}, p.store.exists(p.key)
		}
	}
	if there.MD5 == "" || p.sums.Size <= compareMax {
		got, err := p.readBack(ctx)
		if err != nil {
			return store.PutResult{}, err
		}
		if got != p.sums {
			return store.PutResult{}, p.store.exists(p.key)
		}
	}
	return store.PutResult{Existed: true, MD5: there.MD5}, nil
}

// readBack reads the object that is there and gives its sums.
func (p *azurePut) readBack(ctx context.Context) (store.Sums, error) {
	r, err := p.store.Get(ctx, p.key, 0, -1)
	if err != nil {
		return store.Sums{}, err
	}
	defer r.Close()
	return sumUp(ctx, r)
}
