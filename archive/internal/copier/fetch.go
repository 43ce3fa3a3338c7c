package copier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/staging"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// fetch reads an object of the source once, and compares it with the manifest's sums. It writes a large object to a
// scratch file, since providers may read an object several times to send it. For a bundle it also sets the sums. The
// error is a lostError if the object is missing or damaged in the source.
func (c *copyRun) fetch(ctx context.Context, o *copyObject) (*staging.Object, error) {
	if o.bundle {
		is, err := c.from.Store.Stat(ctx, o.key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, lostObject(o.key, err)
		case err != nil:
			return nil, fmt.Errorf("reading the attributes of %s in the source: %w", o.key, err)
		case is.Size < o.sums.Size || is.Size > manifest.MaxBundle:
			return nil, lostObject(o.key, fmt.Errorf("it has %d bytes, and its parts end at byte %d: %w",
				is.Size, o.sums.Size, values.ErrDamaged))
		}
		o.sums.Size = is.Size
	}
	to, content, err := c.staging.NewObject(ctx, o.sums.Size)
	if err != nil {
		return nil, err
	}
	if err := c.fetchInto(ctx, o, to); err != nil {
		content.Release()
		return nil, err
	}
	return content, nil
}

// fetchInto reads an object until its content is correct, at most FetchAttempts times.
func (c *copyRun) fetchInto(ctx context.Context, o *copyObject, to io.WriterAt) error {
	for attempt := 0; ; attempt++ {
		err := c.fetchOnce(ctx, o, to)
		var local *objects.SinkError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &local):
			return fmt.Errorf("writing a scratch file for %s, which has %d bytes; "+
				"is there room for two objects of this size? %w", o.key, o.sums.Size, local.Err)
		case errors.Is(err, fs.ErrNotExist):
			return lostObject(o.key, err)
		case errors.Is(err, store.ErrFrozen):
			return fmt.Errorf("%s: %w: %w", o.key, errSourceFrozen, err)
		case errors.As(err, new(*objects.OpenError)):
			return fmt.Errorf("reading %s from the source: %w", o.key, err)
		case attempt == objects.FetchAttempts-1 && errors.Is(err, values.ErrDamaged):
			return lostObject(o.key, err)
		case attempt == objects.FetchAttempts-1:
			return fmt.Errorf("reading %s from the source, after %d attempts: %w", o.key, objects.FetchAttempts, err)
		}
		if err := objects.Pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (c *copyRun) fetchOnce(ctx context.Context, o *copyObject, to io.WriterAt) error {
	s := digest.New()
	if o.sums.Size > 0 { // an empty range cannot be requested
		r := c.from.ReadRange(ctx, o.key, 0, o.sums.Size)
		defer r.Close()
		out := io.MultiWriter(objects.SinkWriter{Writer: io.NewOffsetWriter(to, 0)}, s)
		if _, err := bufcopy.All(out, r); err != nil {
			return err
		}
	}
	got := s.Sums()
	if o.bundle && got.SHA256 == o.sums.SHA256 {
		o.sums.CRC32C = got.CRC32C
	}
	switch {
	case got.SHA256 != o.sums.SHA256:
		return fmt.Errorf("%w: its bytes hash to %s, not to %s", values.ErrDamaged, got.SHA256, o.sums.SHA256)
	case got.CRC32C != o.sums.CRC32C:
		return fmt.Errorf("%w: its bytes have the CRC-32C %s, not %s", values.ErrDamaged, got.CRC32C, o.sums.CRC32C)
	}
	return nil
}
