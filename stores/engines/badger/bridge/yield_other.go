//go:build !linux

package main

// yieldProcessor does nothing where there is no system call for it; who looks out does so for some µs only.
func yieldProcessor() {}
