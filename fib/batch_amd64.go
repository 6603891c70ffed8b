package fib

import "golang.org/x/sys/cpu"

//go:generate sh -c "go run ./internal/kernels > batch_amd64.s"

// The vector forms of LookupBatch, by ISA and width of values. Each takes as
// many addresses as kernel says, and mem and head as a view has them. The Go
// form in batch.go is what they have to agree with.

//go:noescape
func batchAVX512(mem, head *uint64, addrs *Addr, out *GroupID)

//go:noescape
func batchAVX512Wide(mem, head *uint64, addrs *Addr, out *GroupID)

//go:noescape
func batchAVX2(mem, head *uint64, addrs *Addr, out *GroupID)

//go:noescape
func batchAVX2Wide(mem, head *uint64, addrs *Addr, out *GroupID)

// lookupBMI2 is view.lookup for values of 16 bits.
//
//go:noescape
func lookupBMI2(mem, head *uint64, hi, lo uint64) uint32

// scalarKernel says whether lookupBMI2 can run.
var scalarKernel = !raceDetector && cpu.X86.HasBMI2 && cpu.X86.HasPOPCNT

func vectorKernels() []kernel {
	if raceDetector { // it does not see what assembly reads
		return nil
	}
	var all []kernel
	x := &cpu.X86
	if x.HasAVX2 {
		all = append(all, kernel{"avx2", fewLanes})
	}
	if len(all) > 0 && x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512BW && x.HasAVX512VPOPCNTDQ && x.HasAVX512VBMI2 {
		all = append(all, kernel{"avx512", maxLanes})
	}
	return all
}

// run is a choice and no pointer to a function, so that the compiler sees that
// nothing escapes.
func (k *kernel) run(wide bool, mem, head *uint64, addrs *Addr, out *GroupID) {
	switch {
	case k.lanes == maxLanes && wide:
		batchAVX512Wide(mem, head, addrs, out)
	case k.lanes == maxLanes:
		batchAVX512(mem, head, addrs, out)
	case wide:
		batchAVX2Wide(mem, head, addrs, out)
	default:
		batchAVX2(mem, head, addrs, out)
	}
}
