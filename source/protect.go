package source

import (
	"context"
	"errors"
	"fmt"
)

// Protected is a Directory whose database can be asked to leave the files of a capture
// alone for as long as it lasts. Captured files can be read after a cleaner has deleted
// them, so nobody needs this; but a deleted file keeps its space until the capture is
// closed, and beyond the descriptor budget files are opened when they are read, and found
// gone if they are.
type Protected struct {
	*Directory
	// Protect is called with the names of a capture's files, in order, as soon as the set
	// is known. What it returns is called when the capture is closed, and may be nil. An
	// error ends the capture.
	Protect func(names []string) (release func(), err error)
}

// Capture is Directory.Capture, with the files protected.
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
