package control

import (
	"testing"

	"github.com/fwd6/fwd6/control/internal/rtnl"
)

// TestStaleAnswer: what a link was asked for does not undo what the kernel told
// of it since; it is asked for again, and an answer that it is gone counts.
func TestStaleAnswer(t *testing.T) {
	was := link(1)
	now := link(1, func(l *rtnl.Link) { l.MAC[5] = 9 })
	c := newOffline(Config{Ports: []string{was.Name}})
	c.apply([]rtnl.Event{{Object: was}})
	c.askLinks()
	asked := <-c.kernel.asked
	stale := answer{links: []rtnl.Event{{Object: was}}, heard: asked.heard}
	if err := c.hear(told{events: []rtnl.Event{{Object: now}}}); err != nil {
		t.Fatal(err)
	}
	c.applyLinks(stale)
	if got := c.mirror.links[1]; got.MAC != now.MAC {
		t.Errorf("MAC = %v after a stale answer, want %v", got.MAC, now.MAC)
	}
	if len(c.kernel.asked) != 1 {
		t.Fatalf("asked %d times again, want once", len(c.kernel.asked))
	}
	again := <-c.kernel.asked
	newer := link(1, func(l *rtnl.Link) { l.MAC[5], l.MTU6 = 9, 1300 })
	c.applyLinks(answer{links: []rtnl.Event{{Object: newer}}, heard: again.heard})
	if got := c.mirror.links[1]; got.MTU6 != 1300 {
		t.Errorf("MTU6 = %d after a fresh answer, want 1300", got.MTU6)
	}
	c.applyLinks(answer{links: []rtnl.Event{{Deleted: true, Object: &rtnl.Link{Ifindex: 1}}}, heard: again.heard})
	if c.mirror.links[1] != nil {
		t.Error("a link that does not exist is still there")
	}
}
