package daemon

import (
	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/service/web"
)

// omits records the files that the last run left out. They may differ from those of the newest snapshot, which a run
// without changes does not replace.
func (k *managedArchive) omits(omitted []archive.Omission) {
	out := web.LeftOut{Files: int64(len(omitted))}
	for _, o := range omitted[:min(len(omitted), web.MaxLeftOut)] {
		out.Some = append(out.Some, web.LeftOutFile{Name: o.Name, Why: o.Why})
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known.leftOut = out
}

// leftOutOf returns what a manifest has of the files that were left out.
func leftOutOf(s *manifest.Summary) web.LeftOut {
	if s.LeftOut == nil {
		return web.LeftOut{}
	}
	return web.LeftOut{Files: s.LeftOut.Files, Some: []web.LeftOutFile{{Name: s.LeftOut.Example}}}
}
