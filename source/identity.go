package source

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// identity is the part of a file's status that changes if the file is replaced or written.
type identity struct {
	dev, ino uint64
	size     int64
	mtime    int64 // ns since 1970
	ctime    int64 // ns since 1970; unlike mtime, it cannot be set
	links    uint64
}

// sameFile reports whether two identities are of the same file, which may have been written.
func (a *identity) sameFile(b *identity) bool {
	return a.dev == b.dev && a.ino == b.ino
}

// sameContent reports whether a and b are the same file without a write between them. The change
// time also reveals a write after which the modification time was set back. It may change when a
// link is created or removed, which a database's cleaner often does.
//
// Two writes within one tick of the file system's clock (at most 4 ms on today's Linux) look like
// one. Only a write right after the capture could be missed that way, and databases do not write
// to closed files.
func (a *identity) sameContent(b *identity) bool {
	return a.sameFile(b) && a.size == b.size && a.mtime == b.mtime &&
		(a.ctime == b.ctime || a.links != b.links)
}

// holds reports whether a file captured as a, in the given state, still has the captured content
// if it is now as given.
func (a *identity) holds(now *identity, s State) bool {
	if s == Tail {
		return a.sameFile(now) && now.size >= a.size
	}
	return a.sameContent(now)
}

// describe returns how now differs from a, for error messages.
func (a *identity) describe(now *identity) string {
	switch {
	case !a.sameFile(now):
		return "another file has its name"
	case now.size < a.size:
		return "it became shorter"
	case now.size > a.size:
		return "it grew"
	}
	return "it was written, or its owner or mode changed"
}

// modified returns the modification time in UTC.
func (a *identity) modified() time.Time { return time.Unix(0, a.mtime).UTC() }

// identify returns the identity in a stat result, and whether it is of a regular file.
func identify(st *unix.Stat_t) (id identity, regular bool) {
	return identity{
		dev: uint64(st.Dev), ino: st.Ino, links: uint64(st.Nlink), size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}, st.Mode&unix.S_IFMT == unix.S_IFREG
}

// statAt calls stat for a name in an open directory. It avoids the path lookup and the allocations
// of os.Stat, since a listing makes hundreds of thousands of these calls.
func statAt(dir *os.File, name string, st *unix.Stat_t) error {
	return retry(func() error { return unix.Fstatat(int(dir.Fd()), name, st, 0) })
}

// statOpen returns the identity of an open file, and whether it is a regular one.
func statOpen(f *os.File) (id identity, regular bool, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return identity{}, false, err
	}
	var st unix.Stat_t
	var statErr error
	err = conn.Control(func(fd uintptr) {
		statErr = retry(func() error { return unix.Fstat(int(fd), &st) })
	})
	if err == nil {
		err = statErr
	}
	id, regular = identify(&st)
	return id, regular, err
}

// retry calls f again if a signal interrupted it, which happens on network file systems.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
