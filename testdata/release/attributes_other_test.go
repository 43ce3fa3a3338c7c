//go:build !linux

package main

import "syscall"

// serviceAttributes is for Linux alone: the tests that need it skip elsewhere.
func serviceAttributes(string, uint32, uint32) *syscall.SysProcAttr { return nil }
