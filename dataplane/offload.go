package dataplane

import "github.com/fwd6/fwd6/dataplane/wire"

// probePackets is how many packets of each port are looked at for checksums
// that their sender left to its device.
const probePackets = 256

// probe looks at the first packets of a port. A veth passes packets on as their
// sender made them; if the sender counts on a device for checksums, the kernel
// knows that from the skb, but a frame has no place to say it: it leaves with a
// wrong checksum and its receiver drops it. All that can be done is to say so.
//
// It runs on the first packets only, and then costs one comparison a batch.
func (w *Worker) probe(b *Batch) {
	p := &w.ports[b.port]
	for i := range b.n {
		if p.probes == 0 {
			return
		}
		if b.reason[i] != Forward || b.pieces[i] > 1 {
			continue
		}
		p.probes--
		d := b.descs[b.first[i]]
		if wire.PartialChecksum(b.umem[d.Addr+wire.EthernetLen : d.Addr+uint64(d.Len)]) {
			p.probes = 0
			select {
			case w.partial <- b.port:
			default:
			}
		}
	}
}

// adviseOnChecksums logs what probe finds, once a port.
func (fw *Forwarder) adviseOnChecksums() {
	said := map[PortID]bool{}
	for id := range fw.partial {
		if said[id] {
			continue
		}
		said[id] = true
		for _, p := range fw.ports {
			if p.ID == id {
				fw.log.Warn("packets arrive without their TCP or UDP checksums, which their sender leaves to its device: "+
					"their receivers will drop them; run `ethtool -K DEV tx off` at the sender", "port", p.Name)
			}
		}
	}
}
