package sys

import "testing"

// The memory is there, zero, of the size asked for, and page aligned whatever
// pages the machine has.
func TestMapUMEM(t *testing.T) {
	for _, size := range []int{4096, 1 << 20, hugePage, hugePage + 4096} {
		m, err := MapUMEM(size)
		if err != nil {
			t.Fatal(err)
		}
		if len(m) != size {
			t.Errorf("got %d bytes, want %d", len(m), size)
		}
		for i := range m {
			if m[i] != 0 {
				t.Fatalf("byte %d is %d", i, m[i])
			}
			m[i] = 1
		}
		if err := Unmap(m); err != nil {
			t.Error(err)
		}
	}
	if err := Unmap(nil); err != nil {
		t.Errorf("Unmap(nil) = %v", err)
	}
}

func TestSocketInode(t *testing.T) {
	for _, tt := range []struct {
		name  string
		inode uint64
		ok    bool
	}{
		{"socket:[12345]", 12345, true},
		{"socket:[]", 0, false},
		{"anon_inode:[perf_event]", 0, false},
		{"/usr/bin/socket", 0, false},
	} {
		if inode, ok := socketInode(tt.name); inode != tt.inode || ok != tt.ok {
			t.Errorf("socketInode(%q) = %d, %v, want %d, %v", tt.name, inode, ok, tt.inode, tt.ok)
		}
	}
}
