package archive

import (
	"context"

	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
)

// settleNamed decides which of the objects that verification records name are intact. What only an earlier record names,
// it reads back: the latest record may be forged, and may as well be right.
func (v *verifyRun) settleNamed(ctx context.Context) error {
	if v.damage == nil || len(v.damage.Named) == 0 {
		return nil
	}
	return v.each(ctx, func(ctx context.Context, key string, n *need) error {
		last, named := v.damage.Of(key)
		if !named || len(n.parts) == 0 {
			return nil
		}
		isRead := true
		for _, p := range n.parts {
			isRead = isRead && v.damage.HasRead(p.part, &last)
		}
		var err error
		if n.settled = isRead; !isRead {
			n.settled, err = v.repo.Findings.MadeAgain(ctx, key, &last, &n.parts[0].part.Stored)
		}
		if err != nil || n.settled || v.damage.LatestBad.Has(key) {
			return err
		}
		for _, p := range n.parts {
			objects.AddTotals(v.repo.Progress, 1, p.part.Size)
		}
		return v.readNeed(ctx, key, n)
	})
}

// noteReadBack records on this host which of the named objects were read back and are intact.
func (v *verifyRun) noteReadBack() {
	if v.damage == nil || len(v.damage.Named) == 0 {
		return
	}
	places := map[string]string{}
	for key, n := range v.needs {
		last, named := v.damage.Of(key)
		if !named || !n.read || n.bad {
			continue
		}
		for _, p := range n.parts {
			places[findings.PlaceOf(p.part)] = last.Record
		}
	}
	v.repo.Findings.NoteRead(v.damage, places)
}
