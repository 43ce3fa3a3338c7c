package main

import "syscall"

// serviceAttributes makes a process run as a user, with a directory as its root. It ends with the test.
func serviceAttributes(root string, uid, gid uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Chroot: root, Credential: &syscall.Credential{Uid: uid, Gid: gid, NoSetGroups: false}, Pdeathsig: syscall.SIGKILL,
	}
}
