package fib

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

// kernel is a form of LookupBatch that this processor can run.
type kernel struct {
	name  string
	lanes int // addresses at a time; 0: the plain form, any number
}

// The most and the least addresses that a kernel takes. The one of the fewest is
// the first behind the plain form.
const (
	maxLanes = 64
	fewLanes = 16
)

// kernels are all that there are, the fastest last.
var kernels = append([]kernel{{name: "generic"}}, vectorKernels()...)

var chosen atomic.Pointer[kernel]

// useScalar says that Lookup is not to be the plain form either.
var useScalar = scalarKernel

// The environment variable FWD6_CPU forces a form, if the processor has it.
func init() {
	chosen.Store(&kernels[len(kernels)-1])
	if name := os.Getenv("FWD6_CPU"); name != "" {
		if err := Use(name); err != nil {
			fmt.Fprintln(os.Stderr, "fwd6: FWD6_CPU:", err)
		}
	}
}

// Variants names the forms of LookupBatch that this processor can run, the one
// that is used by itself last.
func Variants() (names []string) {
	for _, k := range kernels {
		names = append(names, k.name)
	}
	return names
}

// Use chooses the form for all tables. It is for tests and benchmarks, while
// nothing is looked up.
func Use(name string) error {
	i := slices.IndexFunc(kernels, func(k kernel) bool { return k.name == name })
	if i < 0 {
		return fmt.Errorf("lookup variant %q: this processor has %s", name, strings.Join(Variants(), ", "))
	}
	chosen.Store(&kernels[i])
	useScalar = scalarKernel && i > 0
	return nil
}

// Variant names the form that is used.
func Variant() string { return chosen.Load().name }
