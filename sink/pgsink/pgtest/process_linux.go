package pgtest

import "syscall"

// endWithParent makes the system kill the process when its parent ends, however that ends: with
// SIGQUIT, upon which PostgreSQL ends its other processes and goes.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
