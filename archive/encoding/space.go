package encoding

import (
	"context"
	"fmt"
)

// spare returns how many bytes this Encoder's scratch files leave free.
func (e *Encoder) spare() int64 {
	if e.database != "" && e.scratch.dir != "" && e.isBesideDatabase() {
		return max(e.scratch.spare, MinFree)
	}
	return e.scratch.spare
}

// isBesideDatabase reports whether the scratch files and the database may be on one disk.
func (e *Encoder) isBesideDatabase() bool {
	same, err := within(context.Background(), e.scratch.dir, func() (bool, error) {
		return SameDisk(e.scratch.place(), e.database), nil
	})
	return same || err != nil
}

// CheckScratch returns ErrNoSpace if this Encoder has scratch files on a disk whose free space has fallen below what
// they leave free. The caller then ends what reads the objects and closes them, which releases their space.
func (e *Encoder) CheckScratch() error {
	if e.inScratch.Load() == 0 {
		return nil
	}
	return e.scratch.isShort(e.spare())
}

// Space is the space for scratch files.
type Space struct {
	Dir     string
	From    int64 // objects that may become larger than this, in bytes, need a scratch file
	Free    int64 // bytes on the disk; negative if unknown
	Reserve int64 // the bytes of Free that scratch files do not use
}

// Space returns the space for scratch files.
func (e *Encoder) Space() Space {
	s := Space{Dir: e.scratch.dir, From: e.inMemory, Free: -1, Reserve: e.spare()}
	if free, err := e.scratch.free(e.scratch.place()); err == nil && s.Dir != "" {
		s.Free = free
	}
	return s
}

// NeedsScratch reports whether content of this size may become too large for memory.
func (e *Encoder) NeedsScratch(size int64) bool { return wholeChunks(e.Most(size)) > e.inMemory }

// TryScratch checks whether content of this size could be encoded to a scratch file now, by creating one of no bytes.
// It leaves no file and no directory behind. Without enough space the error wraps ErrNoSpace.
func (e *Encoder) TryScratch(size int64) error {
	bound := e.Most(size)
	s := e.scratch
	if s.dir == "" {
		return errNoDirectory(bound)
	}
	spare := e.spare()
	room := s.measure()
	s.mu.Lock()
	err := s.fits(room, bound, spare)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	f, err := s.create(s.place())
	if err != nil {
		return fmt.Errorf("creating a scratch file in %s: %w", s.dir, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing a scratch file in %s: %w", s.dir, err)
	}
	return nil
}
