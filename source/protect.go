package source

import (
	"context"
	"errors"
	"fmt"
)

// Protected is a Directory whose database can keep the files of a capture until it is closed. This
// is optional, since captured files can be read after a cleaner has deleted them. But a deleted
// file occupies its space until the capture is closed. And files above the descriptor budget are
// opened only when they are read, when they may be gone.
type Protected struct {
	*Directory
	// Protect is called with the sorted names of a capture's files as soon as the set is known.
	// release is called when the capture is closed, and may be nil. An error ends the capture.
	Protect func(names []string) (release func(), err error)
}

// Capture is Directory.Capture with Protect called for the captured files.
func (p *Protected) Capture(ctx context.Context, want func(File) bool) (*Capture, error) {
	c, err := p.Directory.Capture(ctx, want)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(c.Files))
	for i := range c.Files {
		names[i] = c.Files[i].Name
	}
	release, err := p.Protect(names)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("protecting the files of a capture: %w", err), c.Close())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release = release
	return c, nil
}
