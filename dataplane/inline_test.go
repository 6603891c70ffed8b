package dataplane

import (
	"os/exec"
	"strings"
	"testing"
)

// TestInlined asks the compiler whether what runs once a packet is inlined
// where it must be. A call costs as much as the work of these functions.
func TestInlined(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to compile with")
	}
	out, err := exec.Command("go", "build", "-gcflags=-m", "./", "./wire", "../fib").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, f := range []string{
		"(*Batch).headers", "(*Batch).frameLen", "(*Batch).pieceDescs", "(*Batch).release",
		"(*Adjacency).markUsed", "(*Adjacencies).Get", "admit",
		"(*Headers).Src", "(*Headers).Dst", "(*Headers).SetEthernet", "(*Headers).PayloadLen", "Special",
		"(*Group).Single", "(*Group).Select", "(*Groups).Get",
	} {
		if !strings.Contains(string(out), ": can inline "+f+"\n") {
			t.Errorf("%s is not inlined", f)
		}
	}
}
