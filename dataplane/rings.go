package dataplane

// Sizes of a socket's rings.
const (
	// mostRing is 40 ms of 200,000 packets a second, which is how long a busy
	// machine may keep a worker from its processor.
	mostRing = 8192

	// leastRing is what a queue has however many there are.
	leastRing = 2048

	// portRing is what the queues of a port have together, on average: each of
	// many queues has a part of the port's packets.
	portRing = 2 * mostRing
)

// ringSize is how many frames wait on each side of a socket. It decides how
// much memory there is: a UMEM has frames for all rings of all sockets over it,
// and the kernel keeps some 128 bytes for each of them, once a socket
// (xp_create_and_assign_umem in net/xdp/xsk_buff_pool.c).
func ringSize(ports []*port) int {
	queues := 0
	for _, p := range ports {
		queues += p.queues
	}
	n := mostRing
	for n > leastRing && n*queues > portRing*len(ports) {
		n /= 2
	}
	return n
}
