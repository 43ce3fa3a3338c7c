package source

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// identity is what a file system tells of a file that would not stay the same if the
// file were another one, or were written to.
type identity struct {
	dev, ino uint64
	size     int64
	mtime    int64 // ns since 1970
	ctime    int64 // ns since 1970; unlike mtime, nobody can set it
	links    uint64
}

// sameFile reports whether two identities are of one file, whatever was done to it.
func (a *identity) sameFile(b *identity) bool {
	return a.dev == b.dev && a.ino == b.ino
}

// sameContent reports whether nothing was written to the file between a and b. The
// change time also catches a rewriting that put the modification time back; it may move
// when a link was made or removed, which a database's cleaner does all the time.
//
// Two writes within one tick of the file system's clock (4 ms or less on today's Linux)
// look like one. Only what is written right after the capture could hide in that, and
// closed files are not written to.
func (a *identity) sameContent(b *identity) bool {
	return a.sameFile(b) && a.size == b.size && a.mtime == b.mtime &&
		(a.ctime == b.ctime || a.links != b.links)
}

// holds reports whether a file captured as a, in the given state, is still good as now.
func (a *identity) holds(now *identity, s State) bool {
	if s == Tail {
		return a.sameFile(now) && now.size >= a.size
	}
	return a.sameContent(now)
}

// describe says how now differs from a, for error messages.
func (a *identity) describe(now *identity) string {
	switch {
	case !a.sameFile(now):
		return "another file has its name"
	case now.size < a.size:
		return "it became shorter"
	case now.size > a.size:
		return "it grew"
	}
	return "it was written to, or its owner or mode changed"
}

// modified returns the modification time in UTC.
func (a *identity) modified() time.Time { return time.Unix(0, a.mtime).UTC() }

// identify reads the identity out of what stat said, and whether it is of a regular file.
func identify(st *unix.Stat_t) (id identity, regular bool) {
	return identity{
		dev: uint64(st.Dev), ino: st.Ino, links: uint64(st.Nlink), size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}, st.Mode&unix.S_IFMT == unix.S_IFREG
}

// statAt is stat of a name in an open directory, which spares the kernel the way there
// and us the garbage of os.Stat: listings make hundreds of thousands of these calls.
func statAt(dir *os.File, name string, st *unix.Stat_t) error {
	return retry(func() error { return unix.Fstatat(int(dir.Fd()), name, st, 0) })
}

// statOpen identifies an open file.
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

// retry calls f again when a signal interrupted it, which happens on network file
// systems.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
