//go:build !amd64

package fib

const scalarKernel = false

func lookupBMI2(_, _ *uint64, _, _ uint64) uint32 { panic("fib: no scalar kernel") }

func vectorKernels() []kernel { return nil }

func (k *kernel) run(bool, *uint64, *uint64, *Addr, *GroupID) { panic("fib: no vector kernels") }
