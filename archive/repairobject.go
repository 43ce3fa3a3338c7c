package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/manifest"
)

// object puts back one object.
func (r *repairing) object(ctx context.Context, p *Problem) error {
	want, known := r.expected(p.Object)
	switch p.What {
	case "missing", "size", "checksum", "content", "manifest":
	default: // chain, witness: what is there is another than was seen
		if !known {
			return errors.New("nobody knows which is the right one")
		}
	}
	if r.mended[p.Object] {
		return errors.New("it was put back, and is wrong all the same")
	}
	if p.What != "missing" && known {
		sum, err := r.hash(ctx, p.Object)
		switch _, isManifest := manifest.ParseManifestKey(p.Object); {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case err != nil:
		case p.What == "chain" && isManifest && r.inCopy(ctx, p.Object, sum):
			// The child named it as it found it damaged; it was put back since, and the ledger
			// was not told.
			n, _ := manifest.ParseManifestKey(p.Object)
			r.named[n], r.again, r.mended[p.Object] = sum, true, true
			return nil
		case sum != want.SHA256:
		case isManifest: // who named it found it damaged already
			known = false
		default:
			return errors.New("what is there is what was stored, and what the manifests say of it is wrong")
		}
	}
	content, sums, err := r.find(ctx, p.Object, want, known)
	if err != nil {
		return err
	}
	defer content.release()
	if p.What != "missing" || p.Object == manifest.ArchiveKey && r.head.badID {
		if err := r.store.Delete(ctx, []string{p.Object}); err != nil {
			return fmt.Errorf("deleting what is there: %w", err)
		}
	}
	if _, err = r.store.Put(ctx, p.Object, content, sums); err != nil {
		return err
	}
	r.mended[p.Object] = true
	if n, ok := manifest.ParseManifestKey(p.Object); ok && sums.SHA256 != want.SHA256 && !want.SHA256.IsZero() {
		r.named[n] = sums.SHA256
	}
	return r.check(ctx, p.Object)
}

// inCopy reports whether a copy has the same bytes.
func (r *repairing) inCopy(ctx context.Context, key string, sum manifest.Hash) bool {
	for _, c := range r.from.Copies {
		if got, err := c.hash(ctx, key); err == nil && got == sum {
			return true
		}
	}
	return false
}

// check reads what was put back as a restore would: it is as it was stored, but that may
// not be what the manifests say of it.
func (r *repairing) check(ctx context.Context, key string) error {
	n := r.needs[key]
	r.again = r.again || n == nil // what it names has not been looked at
	if n == nil || len(n.parts) == 0 {
		return nil
	}
	n.bad = false
	if err := r.readObject(ctx, key, n); err != nil {
		return err
	}
	if n.bad {
		return errors.New("it was put back as it was stored, and what the manifests say of it is wrong")
	}
	return nil
}

// name writes a record of the ledger with the right hashes of manifests that were put back
// and that their children, or the ledger, had named as they were when they were damaged.
func (r *repairing) name(ctx context.Context) error {
	if len(r.named) == 0 {
		return nil
	}
	_, err := r.amend(ctx, amending{}, func(s *standing) (*amendment, error) {
		what := &amendment{why: "verify --repair"}
		for i := range s.valid {
			m := &s.valid[i]
			if sum, ok := r.named[m.kept.Sequence]; ok {
				m.kept.SHA256, m.lost = sum, false
			}
			what.kept = append(what.kept, m.kept)
		}
		return what, nil
	})
	if err != nil {
		return fmt.Errorf("telling the ledger of manifests that were put back: %w", err)
	}
	return nil
}
