package azure

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

const (
	minBlock  = 8 << 20 // bytes of a block, unless a larger object needs more
	maxBlocks = 40_000  // of an object; Azure allows 50,000
)

// blockSize returns the size of an object's blocks: 8 MiB, or the size that results in 40,000 blocks, rounded
// up to a MiB.
func blockSize(size int64) int64 {
	const mib = 1 << 20
	need := (size + maxBlocks - 1) / maxBlocks
	return max(minBlock, (need+mib-1)/mib*mib)
}

// inBlocks sends the blocks of an object concurrently. It reads each block once more just before it sends it,
// to compute the MD5 that the server compares. Concurrently learn reads the source from front to back for the
// MD5 of the whole object, which Azure stores and does not compare. That MD5 is correct if the blocks'
// checksums join to the CRC-32C in sums.
//
// Put Block List creates the object. An interrupted Put before leaves uncommitted blocks, which are not
// visible. Azure drops them after a week, or once a Put of the key succeeds; no request drops them earlier.
// Their number is limited: Azure stores 100,000 uncommitted blocks for a key and refuses more.
func (p *upload) inBlocks(ctx context.Context) error {
	size := blockSize(p.sums.Size)
	blocks := make([]block, (p.sums.Size+size-1)/size)
	name := blockName()
	for i := range blocks {
		offset := int64(i) * size
		blocks[i] = block{id: name(i), offset: offset, size: min(size, p.sums.Size-offset)}
	}
	if err := p.stageAll(ctx, blocks); err != nil {
		return err
	}
	ids := make([]string, len(blocks))
	var crc manifest.CRC32C
	for i, b := range blocks {
		ids[i], crc = b.id, cloud.JoinCRC(crc, b.crc, b.size)
	}
	if crc != p.sums.CRC32C {
		return store.ErrMismatch
	}
	out, err := p.blob().CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentMD5: p.md5},
		Tier:             p.store.tierFor(p.key),
		AccessConditions: onlyNew(),
	})
	if err == nil {
		err = acknowledged(out.RequestID, out.ETag)
	}
	if err != nil {
		return fmt.Errorf("Put Block List: %w", err)
	}
	return nil
}

// block is a block of an object.
type block struct {
	id           string
	offset, size int64
	crc          manifest.CRC32C // of the bytes that were sent
}

// blockName returns a function that returns the ids of one attempt's blocks. All ids have the same length,
// which Azure requires. No other attempt, in this process or another, has the same ids. So no attempt commits
// the blocks of another one.
func blockName() func(i int) string {
	var id [16]byte
	_, _ = rand.Read(id[:12]) // never fails
	return func(i int) string {
		binary.BigEndian.PutUint32(id[12:], uint32(i))
		return base64.StdEncoding.EncodeToString(id[:])
	}
}

// stageAll sends all blocks, as many at once as the store's tokens allow, and computes the MD5 of the whole
// object. It returns only after all requests have ended.
func (p *upload) stageAll(caller context.Context, blocks []block) error {
	g, ctx := errgroup.WithContext(caller)
	tokens := p.store.blocks
	g.SetLimit(cap(tokens) + 1)
	g.Go(func() error { return p.learn(ctx) })
	for i := range blocks {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			select {
			case tokens <- struct{}{}:
				defer func() { <-tokens }()
			case <-ctx.Done():
				return ctx.Err()
			}
			return p.stage(ctx, &blocks[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return caller.Err() // some blocks may not have been started
}

// stage sends one block.
func (p *upload) stage(ctx context.Context, b *block) error {
	for round := 1; ; round++ {
		sum, crc := md5.New(), crc32.New(digest.Castagnoli)
		if err := cloud.CopyBody(ctx, io.MultiWriter(sum, crc), p.src.Section(b.offset, b.size)); err != nil {
			return err
		}
		out, err := p.blob().StageBlock(ctx, b.id, newRequestBody(p.src, b.offset, b.size), &blockblob.StageBlockOptions{
			TransactionalValidation: blob.TransferValidationTypeMD5(sum.Sum(nil)),
		})
		if err == nil {
			err = acknowledged(out.RequestID, nil)
		}
		switch {
		case err == nil:
			b.crc = manifest.CRC32C(crc.Sum32())
			return nil
		case isBadDigest(err) && round < cloud.PutRounds:
			continue // changed in transit or in the source: the checksum of the whole object shows which
		}
		return fmt.Errorf("Put Block at %d: %w", b.offset, err)
	}
}
