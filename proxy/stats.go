// Stats: what a Proxy counts.

package proxy

import (
	"sync/atomic"

	"sallyport/proxy/datagram"
	"sallyport/proxy/proof"
)

// Stats is a snapshot of a Proxy.
type Stats struct {
	Connections int64 // accepted and open
	Tunnels     int64 // connected to a destination and open
	Sniffing    int64 // tunnels whose first bytes are awaited

	Accepted         uint64 // connections, since the start
	Handshakes       uint64 // of TLS with clients, since the start
	FailedHandshakes uint64 // handshakes that failed, and clients without TLS on the listener for TLS
	// Certificates counts those that clients have shown, by the result of the check.
	Certificates [proof.CertificateResults]uint64

	Checks       uint64 // connections whose PROXY header names no client, such as a balancer's health checks
	Empty        uint64 // accepted connections that closed without a byte and without a denial
	NotAdmitted  uint64 // accepted connections that were refused because of a limit or a drain
	AcceptErrors uint64 // failed accepts, for example for lack of descriptors
	Panics       uint64 // connections that ended in a recovered panic
	BytesIn      uint64 // from clients to destinations, datagrams included
	BytesOut     uint64 // from destinations to clients, datagrams included

	Associations int64          // open associations of SOCKS5 clients
	Datagrams    datagram.Stats // flows of datagrams
}

type counters struct {
	connections                                                atomic.Int64
	accepted, checks, empty, notAdmitted, acceptErrors, panics atomic.Uint64
	handshakes, failedHandshakes                               atomic.Uint64
	certificates                                               [proof.CertificateResults]atomic.Uint64
	bytesIn, bytesOut                                          atomic.Uint64 // the bytes of flows that ended
}

// Stats returns what is open now and what was counted since the start.
func (p *Proxy) Stats() Stats {
	s := Stats{
		Connections: p.count.connections.Load(), Sniffing: int64(p.sniffing.Held()),
		Accepted: p.count.accepted.Load(), Checks: p.count.checks.Load(), Empty: p.count.empty.Load(), NotAdmitted: p.count.notAdmitted.Load(),
		AcceptErrors: p.count.acceptErrors.Load(), Panics: p.count.panics.Load(),
		BytesIn: p.count.bytesIn.Load(), BytesOut: p.count.bytesOut.Load(),
		Associations: int64(p.associations.Held()), Datagrams: p.datagrams.Stats(),
	}
	s.Handshakes, s.FailedHandshakes = p.count.handshakes.Load(), p.count.failedHandshakes.Load()
	for i := range s.Certificates {
		s.Certificates[i] = p.count.certificates[i].Load()
	}
	s.BytesIn += s.Datagrams.BytesIn
	s.BytesOut += s.Datagrams.BytesOut
	for _, f := range p.flows.all() {
		s.Tunnels++
		s.BytesIn += f.in.Load()
		s.BytesOut += f.out.Load()
	}
	return s
}
