package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// TestCommitted: the assembly that is built is what this command writes.
func TestCommitted(t *testing.T) {
	committed, err := os.ReadFile("../../batch_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := exec.Command("go", "run", ".").Output()
	if err != nil {
		t.Fatalf("go run .: %v", err)
	}
	if !bytes.Equal(committed, fresh) {
		t.Error("fib/batch_amd64.s is not what fib/internal/kernels writes: go generate ./fib")
	}
}
