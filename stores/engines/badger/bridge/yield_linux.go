package main

import "syscall"

// yieldProcessor lets another thread that wants this processor have it. The calling goroutine keeps Go's.
func yieldProcessor() { _, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
