//go:build unix && !linux

package pgtest

import "syscall"

// endWithParent cannot be had on this system: a test process that is killed leaves the server.
func endWithParent(*syscall.SysProcAttr) {}
