package main

import "syscall"

// ownGroup puts a process in its own group. The process is killed if testservers is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
