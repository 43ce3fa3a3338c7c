package archive

import (
	"context"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// noteBlocks adds to the report what is in the way of the archive's next objects.
func (v *verifyRun) noteBlocks(ctx context.Context, h *repo.Head) error {
	all, err := v.repo.Blocks(ctx, h)
	for _, blocked := range all {
		v.report.Blocked = append(v.report.Blocked, blocked.Error())
	}
	return err
}

// noteBlockingFile adds an object of data/ to the report if it is in the place of a log file's directory.
func (v *verifyRun) noteBlockingFile(ctx context.Context, key string) error {
	if _, ok := v.repo.Store.(store.BlockFinder); !ok {
		return nil
	}
	name, isData := strings.CutPrefix(key, manifest.DataPrefix)
	_, isObject := manifest.ParseObjectKey(key)
	if !isData || isObject || len(nested.Homes(key)) > 0 || len(v.report.Blocked) >= maxFailures {
		return nil
	}
	layout, err := source.NewLayout(source.LayoutOptions{Name: v.head.Layout()})
	if _, _, isLog := layout.Position(name); err == nil && layout.Name() != "files" && !isLog {
		return nil // the database makes no such file
	}
	blocked, err := v.repo.FindBlock(ctx, key+"/"+repo.FirstBelow)
	if blocked != nil {
		v.report.Blocked = append(v.report.Blocked, blocked.Error())
	}
	return err
}
