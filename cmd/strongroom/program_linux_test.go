package main

import (
	"os/exec"
	"syscall"
)

// endWithTest makes the kernel kill a process when its test is killed.
func endWithTest(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
