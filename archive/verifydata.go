package archive

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

// choose leaves out what is not in the sample, which has at least one object. Pages are
// read anyway.
func (v *verification) choose() {
	if v.o.ReadData || v.o.Sample >= 1 {
		return
	}
	var all []*need
	var bytes int64
	for _, key := range slices.Sorted(maps.Keys(v.needs)) {
		if n := v.needs[key]; len(n.parts) > 0 {
			all = append(all, n)
			bytes += n.size
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	left := int64(v.o.Sample * float64(bytes))
	for i, n := range all {
		n.skip = i > 0 && left <= 0
		left -= n.size
	}
}

// readData fetches every part once and hashes it. The pages were read already.
func (v *verification) readData(ctx context.Context) error {
	for _, n := range v.needs {
		for _, p := range n.parts {
			if !n.bad && !n.skip {
				v.progress.plan(1, p.part.Size)
			}
		}
	}
	err := v.each(ctx, func(ctx context.Context, key string, n *need) error {
		if n.skip {
			return nil
		}
		files := make([]manifest.File, len(n.parts)) // each part as if it were a file
		for i, p := range n.parts {
			files[i] = manifest.File{Name: p.file, Size: p.part.Size, SHA256: p.part.SHA256, Parts: []manifest.Part{*p.part}}
		}
		for _, run := range neighbours(files) {
			if err := v.readRun(ctx, key, files, run); err != nil {
				return err
			}
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.report.ReadObjects++
		return nil
	})
	if err != nil {
		return err
	}
	return v.readStretched(ctx)
}

// readStretched reads the files of several parts once more, as a restore would. What is
// wrong with a part was reported already.
func (v *verification) readStretched(ctx context.Context) error {
	for _, f := range v.stretched {
		if slices.ContainsFunc(f.Parts, func(p manifest.Part) bool {
			n := v.needs[p.Object]
			return n.bad || n.skip || encrypted(p.Encoding) && !v.decoder.Opens()
		}) {
			continue
		}
		err := v.fetchFile(ctx, f, discard{})
		switch {
		case errors.Is(err, ErrDamaged):
			v.problem(Problem{Object: f.Parts[0].Object, What: "content", Detail: err.Error(), Files: []string{f.Name}})
		case err != nil:
			return err
		}
	}
	return nil
}

// readRun fetches and hashes parts that lie side by side in an object.
func (v *verification) readRun(ctx context.Context, key string, files []manifest.File, run []int) error {
	together := v.openRun(ctx, files, run)
	defer together.close()
	for _, i := range run {
		f := &files[i]
		err := together.fetch(ctx, f, discard{})
		v.progress.file()
		switch {
		case errors.Is(err, ErrDamaged):
			detail := strings.TrimPrefix(err.Error(), f.Name+": "+key+", ")
			v.problem(Problem{Object: key, What: "content", Detail: detail, Files: []string{f.Name}})
		case err != nil:
			return err
		default:
			v.mu.Lock()
			v.report.ReadBytes += f.Size
			v.mu.Unlock()
		}
	}
	return nil
}
