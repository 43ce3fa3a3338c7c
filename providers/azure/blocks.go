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
	minBlock  = 8 << 20 // bytes of a block, unless the object needs more
	maxBlocks = 40_000  // of an object; Azure allows 50,000
)

// blockSize is how large the blocks of an object are: 8 MiB, or what makes 40,000 of
// them, rounded up to a MiB.
func blockSize(size int64) int64 {
	const mib = 1 << 20
	need := (size + maxBlocks - 1) / maxBlocks
	return max(minBlock, (need+mib-1)/mib*mib)
}

// inBlocks sends an object in blocks, side by side. Each is read once more just before it
// is sent, to learn the MD5 that the server then holds it to. Meanwhile all is read from
// front to back for the MD5 of the whole, which Azure stores and does not verify. It is
// right when the blocks' checksums join to the promised one.
//
// Commit Block List is the moment in which the object is there. Until then nothing is
// visible, and what a broken-off Put has sent stays uncommitted: Azure drops it after a
// week, or as soon as a Put of the key succeeds. There is no request to drop it earlier.
// It cannot pile up without bounds either: Azure holds 100,000 of such blocks for a key
// and refuses more.
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
	_, err := p.blob().CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		HTTPHeaders:      &blob.HTTPHeaders{BlobContentMD5: p.md5},
		AccessConditions: onlyNew(),
	})
	if err != nil {
		return fmt.Errorf("Put Block List: %w", err)
	}
	return nil
}

// block is a block of an object.
type block struct {
	id           string
	offset, size int64
	crc          manifest.CRC32C // of what was sent
}

// blockName gives the ids of one attempt. All are of one length, which Azure demands, and
// no other attempt, of this process or another, has the same: nobody's bytes get into
// somebody else's object.
func blockName() func(i int) string {
	var id [16]byte
	_, _ = rand.Read(id[:12]) // never fails
	return func(i int) string {
		binary.BigEndian.PutUint32(id[12:], uint32(i))
		return base64.StdEncoding.EncodeToString(id[:])
	}
}

// stageAll sends all blocks, as many at once as the store's tokens allow, and learns the
// MD5 of the whole. It returns only when none is on its way any more.
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
	return caller.Err() // not all blocks were begun
}

// stage sends one block.
func (p *upload) stage(ctx context.Context, b *block) error {
	for round := 1; ; round++ {
		sum, crc := md5.New(), crc32.New(digest.Castagnoli)
		if err := cloud.CopyBody(ctx, io.MultiWriter(sum, crc), p.src.Section(b.offset, b.size)); err != nil {
			return err
		}
		_, err := p.blob().StageBlock(ctx, b.id, newRequestBody(p.src, b.offset, b.size), &blockblob.StageBlockOptions{
			TransactionalValidation: blob.TransferValidationTypeMD5(sum.Sum(nil)),
		})
		switch {
		case err == nil:
			b.crc = manifest.CRC32C(crc.Sum32())
			return nil
		case isBadDigest(err) && round < cloud.PutRounds:
			continue // changed on the way, or in the source: the whole's checksum tells
		}
		return fmt.Errorf("Put Block at %d: %w", b.offset, err)
	}
}
