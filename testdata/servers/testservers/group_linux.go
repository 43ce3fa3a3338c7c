package main

import "syscall"

// ownGroup puts a process in a group of its own; should with be killed, it dies too.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
