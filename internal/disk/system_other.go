//go:build !linux

package disk

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Only Linux has one call for this that works on all file systems.
func renameNew(_, _ string) error { return unix.ENOSYS }

func renameNewAt(_ int, _ string, _ int, _ string) error { return unix.ENOSYS }

// Elsewhere the times are set by the name.
func setTime(int, time.Time) error { return unix.ENOSYS }

// The field has another name on each system.
func changed(*syscall.Stat_t) int64 { return 0 }

func canSyncAll(int) bool { return false }

func syncAll(int) error {
	unix.Sync()
	return nil
}

// availableBlocks is 0 where it is negative: then the blocks that are reserved for root are in use.
func availableBlocks(s *unix.Statfs_t) uint64 { return uint64(max(0, int64(s.Bavail))) }

func blockSize(s *unix.Statfs_t) uint64 { return uint64(s.Bsize) }
