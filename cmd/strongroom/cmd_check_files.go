package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
)

// fileCheck reads the log files of a capture and checks their entries.
type fileCheck struct {
	layout   source.Layout
	capture  *source.Capture
	progress *archive.Progress
	damage   map[string]string // by file name: what is wrong with its entries
	unknown  map[string]string // by file name: why its entries could not be checked
	cut      map[string]int64  // by file name: how many bytes of a tail a backup includes
}

// checkFiles reads every file, and checks every entry, as a backup does for new files.
func (a *app) checkFiles(ctx context.Context, layout source.Layout, capture *source.Capture) (*fileCheck, error) {
	c := &fileCheck{
		layout: layout, capture: capture, progress: &archive.Progress{},
		damage: map[string]string{}, unknown: map[string]string{}, cut: map[string]int64{},
	}
	order := slices.Clone(capture.Files)
	slices.SortFunc(order, func(a, b source.File) int { return layout.Compare(a.Name, b.Name) })
	for i := range order {
		c.progress.Bytes.Add(order[i].Size)
	}
	defer a.watch(ctx, "check", c.progress)()
	if !layout.ChecksEntries() {
		for i := range order {
			if err := c.readOnly(ctx, &order[i]); err != nil {
				return nil, fmt.Errorf("reading %s: %w", order[i].Name, err)
			}
		}
		return c, nil
	}
	var before entries.Result // of the previous file
	for i := range order {
		res, err := c.read(ctx, &order[i])
		if err != nil {
			return nil, fmt.Errorf("checking %s: %w", order[i].Name, err)
		}
		if i > 0 {
			if p := entries.Chain(&before, &res); p != nil && order[i-1].State == source.Closed {
				c.damage[order[i-1].Name] = p.Error()
			}
		}
		before = res
	}
	return c, nil
}

// The database may be writing the bytes after the last whole entry of its newest file. So check
// reads them up to tailTries times, tailWait apart, before it reports damage.
const (
	tailTries = 4
	tailWait  = 100 * time.Millisecond
)

// read checks one file. The bytes after the last whole entry of a tail are not part of the tail.
func (c *fileCheck) read(ctx context.Context, f *source.File) (entries.Result, error) {
	content, err := c.capture.Open(f.Name)
	if err != nil {
		return entries.Result{}, err
	}
	defer content.Close()
	r := c.layout.EntryReader(f.Name)
	if err := c.feed(ctx, r, content, 0, f.Size); err != nil {
		return entries.Result{}, err
	}
	broken := false
	for try := 1; f.State == source.Tail; try++ {
		if broken, err = c.broken(ctx, r, content, f.Size); err != nil {
			return entries.Result{}, err
		}
		if try == tailTries || !broken && !r.Problem().Damaged() {
			break
		}
		select {
		case <-ctx.Done():
			return entries.Result{}, context.Cause(ctx)
		case <-time.After(tailWait):
		}
		if err := c.feed(ctx, r, content, r.Resume(), f.Size); err != nil {
			return entries.Result{}, err
		}
	}
	res := r.Result()
	p := res.Problem
	if err := content.Unchanged(); p != nil && err != nil {
		c.unknown[f.Name] = "being written while it is read, so its entries cannot be checked; run check again"
		return res, nil
	}
	switch {
	case broken:
		c.damage[f.Name] = p.Error()
	case f.State == source.Tail && (p == nil || p.Damaged()):
		c.cut[f.Name] = res.End
		if odd := r.Problem(); odd != nil {
			c.damage[f.Name] = "what follows its last whole entry is no entry: " + odd.Error()
		}
	case p != nil && !p.Damaged():
		c.unknown[f.Name] = "of " + p.Got + ", so its entries are not checked"
	case p != nil:
		c.damage[f.Name] = p.Error()
	}
	return res, nil
}

// readOnly reads a file without entries to its end: a backup of a file with an unreadable sector
// fails. A file that was deleted or changed since the capture is no fault.
func (c *fileCheck) readOnly(ctx context.Context, f *source.File) error {
	content, err := c.capture.Open(f.Name)
	if err == nil {
		defer content.Close()
		err = c.feed(ctx, io.Discard, content, 0, f.Size)
	}
	if errors.Is(err, source.ErrVanished) || errors.Is(err, source.ErrChanged) {
		return nil
	}
	return err
}

// feed passes a file to a reader of entries, from an offset on.
func (c *fileCheck) feed(ctx context.Context, r io.Writer, content io.ReaderAt, from, size int64) error {
	section := io.NewSectionReader(content, from, size-from)
	for buf := make([]byte, 256<<10); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := section.Read(buf)
		if _, err := r.Write(buf[:n]); err != nil {
			return err
		}
		if from == 0 {
			c.progress.BytesDone.Add(int64(n))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// broken reports whether a tail has valid entries after a damaged one.
func (c *fileCheck) broken(ctx context.Context, r *entries.Reader, content io.ReaderAt, size int64) (bool, error) {
	if res := r.Result(); !res.Problem.Damaged() {
		return false, nil
	}
	return r.Resyncs(ctx, content, size)
}
