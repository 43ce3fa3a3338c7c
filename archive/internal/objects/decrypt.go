package objects

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// AsDamage also wraps ErrDamaged if the decoder has found damage.
func AsDamage(err error) error {
	if errors.Is(err, encoding.ErrDamaged) && !errors.Is(err, values.ErrDamaged) {
		return fmt.Errorf("%w: %w", values.ErrDamaged, err)
	}
	return err
}

// CanOpen checks whether the identities decrypt the files, before an operation does work in vain. It compares them with
// the recipients that the manifest names. With read, it also checks the header of the smallest part for each set of
// recipients.
func (a *Objects) CanOpen(ctx context.Context, m *manifest.Manifest, files []manifest.File, read bool) error {
	smallest := smallestEncrypted(files)
	if len(smallest) > 0 && len(m.Recipients) > 0 {
		if err := a.Decoder.Match(m.Recipients); err != nil {
			return err
		}
	}
	if !read {
		return nil
	}
	for _, p := range smallest {
		if err := a.canOpenPart(ctx, p); errors.Is(err, values.ErrNoIdentity) {
			return fmt.Errorf("%s: %w", p.Object, err)
		}
	}
	return nil
}

func (a *Objects) canOpenPart(ctx context.Context, p *manifest.Part) error {
	head := a.ReadRange(ctx, p.Object, OffsetOf(p), min(p.Stored.Size, encoding.HeadSize))
	defer head.Close()
	err := a.Decoder.CanOpen(head)
	if errors.Is(err, values.ErrNoIdentity) && a.checkSealed(ctx, p) != nil {
		return nil // a damaged header matches no identity; reading the part reports the damage
	}
	return err
}

// smallestEncrypted returns the smallest part for each set of recipients.
func smallestEncrypted(files []manifest.File) map[string]*manifest.Part {
	smallest := map[string]*manifest.Part{}
	for i := range files {
		for j := range files[i].Parts {
			p := &files[i].Parts[j]
			if !Encrypted(p.Encoding) {
				continue
			}
			tag := "" // a bundle's key has no tag
			if p.Stored.Offset == nil {
				tag = p.Object[len(p.Object)-len("00000000.age"):]
			}
			if s := smallest[tag]; s == nil || p.Stored.Size < s.Stored.Size {
				smallest[tag] = p
			}
		}
	}
	return smallest
}

func Encrypted(how string) bool { return how == manifest.Age || how == manifest.ZstdAge }
