//go:build !amd64

package fib

func vectorKernels() []kernel { return nil }

func (k *kernel) run(bool, *uint64, *uint64, *Addr, *GroupID) { panic("fib: no vector kernels") }
