// Listener: the accept loop of every TCP front end, with its limits.

package proxy

import (
	"net/netip"
	"sync"
)

// clientTable counts connections per source address.
type clientTable struct {
	mu sync.Mutex
	n  map[netip.Addr]int
}
