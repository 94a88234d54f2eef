// Sockets: the open listeners of a gateway.

package gateway

import (
	"net"
	"net/netip"

	"sallyport/cmd/sallyport/nftables"
	"sallyport/proxy"
	"sallyport/rules"
)

// Sockets are the open listeners of each front end.
type Sockets struct {
	http, https, socks5, transparent, tproxy, dnsTCP []net.Listener
	dnsUDP                                           []net.PacketConn
	tproxyUDP                                        []*proxy.DivertedSocket
	admin                                            net.Listener
}

// Close closes every socket.
func (s *Sockets) Close() {
	for _, l := range s.all() {
		l.Close()
	}
	for _, p := range s.dnsUDP {
		p.Close()
	}
	for _, p := range s.tproxyUDP {
		p.Close()
	}
}

// all returns the stream listeners.
func (s *Sockets) all() (out []net.Listener) {
	for _, list := range [][]net.Listener{s.http, s.https, s.socks5, s.transparent, s.tproxy, s.dnsTCP, {s.admin}} {
		for _, l := range list {
			if l != nil {
				out = append(out, l)
			}
		}
	}
	return out
}

// listeners returns the address of each listener with the name of its front end.
func (s *Sockets) listeners() []boundListener {
	var out []boundListener
	add := func(name string, l net.Listener) {
		if l != nil {
			out = append(out, boundListener{name, l.Addr()})
		}
	}
	for _, l := range s.http {
		add("http", l)
	}
	for _, l := range s.https {
		add("https", l)
	}
	for _, l := range s.socks5 {
		add("socks5", l)
	}
	for _, l := range s.transparent {
		add("transparent", l)
	}
	for _, l := range s.tproxy {
		add("tproxy", l)
	}
	for _, l := range s.dnsTCP {
		add("dns", l)
	}
	add("admin", s.admin)
	return out
}

// A boundListener is the address of a listener and the name of its front end.
type boundListener struct {
	name string
	addr net.Addr
}

// own returns the addresses that are never a destination: the addresses of the
// listeners.
func (s *Sockets) own() rules.Own {
	own := rules.Own{Local: IsLocal, Routed: nftables.LeadsHere}
	for _, l := range s.listeners() {
		if a, ok := l.addr.(*net.TCPAddr); ok {
			ap := a.AddrPort()
			own.Listeners = append(own.Listeners, netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()))
		}
	}
	return own
}
