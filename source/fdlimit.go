package source

import (
	"errors"
	"os"
	"syscall"
)

// descriptorBudget returns how many descriptors a capture may hold: half of the soft RLIMIT_NOFILE
// minus the descriptors that the process has open. So concurrent captures share that half, and the
// other half is left for connections. It is at most 32,768, since the system has a limit too, and
// may be 0.
func descriptorBudget() int {
	const most = 32768
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return most / 64
	}
	return max(0, int(min(limit.Cur/2, most))-openDescriptors())
}

// openDescriptors returns the number of open descriptors of the process; 0 if it is unknown.
func openDescriptors() int {
	f, err := os.Open("/dev/fd") // on Linux a link to /proc/self/fd
	if err != nil {
		return 0
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return len(names)
}

// isShort reports whether an error means that descriptors have run out.
func isShort(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
