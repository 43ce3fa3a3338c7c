package main

import (
	"context"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/strongroom-dev/strongroom/archive"
)

// A command that takes longer than a second shows its progress: a bar on a terminal, otherwise a
// log line every ten seconds.
const (
	progressAfter = time.Second
	progressEvery = 10 * time.Second
)

// watch shows progress until stop is called.
func (a *app) watch(ctx context.Context, what string, p *archive.Progress) (stop func()) {
	if a.noProgress {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if f := terminalOf(a.stderr); f != nil {
			bar(ctx, f, what, p)
		} else {
			a.logProgress(ctx, what, p)
		}
	}()
	return func() { cancel(); <-done }
}

// bar draws a progress bar with bytes, rate and remaining time, until ctx ends.
func bar(ctx context.Context, f *os.File, what string, p *archive.Progress) {
	start := time.Now()
	select {
	case <-ctx.Done():
		return
	case <-time.After(progressAfter):
	}
	m := mpb.New(mpb.WithOutput(f), mpb.WithWidth(40))
	b := m.AddBar(0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(what+" "), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.NewAverageSpeed(decor.SizeB1024(0), " % .1f", start), decor.Name(" left "), decor.NewAverageETA(decor.ET_STYLE_GO, start, nil)))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		b.SetTotal(p.Bytes.Load()+1, false) // never complete: more bytes may be planned
		b.SetCurrent(p.Done())
		select {
		case <-ctx.Done():
			b.Abort(true)
			m.Wait()
			return
		case <-tick.C:
		}
	}
}

func (a *app) logProgress(ctx context.Context, what string, p *archive.Progress) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	last, lastBytes := time.Now(), int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			bytes := p.Done()
			rate := float64(bytes-lastBytes) / now.Sub(last).Seconds()
			a.log.Info(what, "files", p.FilesDone.Load(), "of_files", p.Files.Load(),
				"bytes", bytes, "of_bytes", p.Bytes.Load(), "bytes_per_second", int64(rate))
			last, lastBytes = now, bytes
		}
	}
}
