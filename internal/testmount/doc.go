// Package testmount mounts small file systems for tests of full disks.
package testmount
