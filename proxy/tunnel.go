// Tunnel: the way of CONNECT and SOCKS5 from the wish to the last byte.

package proxy

import (
	"net"

	"sallyport/rules"
)

// inner says that HTTP requests come through a tunnel that is granted and
// connected already: each is decided by itself, as part of the same flow, and
// goes to the same upstream connection. The tunnel closes both connections
// when serveHTTP returns.
type inner struct {
	attempt  rules.Attempt  // the tunnel's, provisional: Flow, Via, Authority, Dest as dialed, Resolved
	decision rules.Decision // the provisional allow
	upstream *net.TCPConn   // connected to attempt.Dest, unused so far
	flow     *flow          // registered; judged, in and out belong to the engine, done to the tunnel
}
