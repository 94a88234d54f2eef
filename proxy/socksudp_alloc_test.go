// Cost of a datagram: what one datagram through an association and back allocates.

package proxy

import (
	"runtime"
	"testing"
)

// A datagram to a name or an address, and its reply, allocate nothing once the flow is open. The
// test runs alone, because it counts the allocations of the process.
func TestUDPAllocatesNothing(t *testing.T) {
	for _, host := range []string{"8.8.8.9", "a.example"} {
		w := newUDPWorld(t, nil)
		w.origin("8.8.8.9:161")
		w.origin("8.8.8.8:161")
		c := w.associated()
		trip := c.tripper(host)
		for range 100 {
			trip()
		}
		const trips = 3000
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range trips {
			trip()
		}
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; n > trips/2 { // the race detector makes pools forget some buffers
			t.Errorf("%s: %d allocations for %d datagrams", host, n, trips)
		}
	}
}

// tripper returns a function that sends one datagram to port 161 of a host, lets the origin echo
// it, and awaits the reply. Itself it allocates nothing.
func (c *udpClient) tripper(host string) func() {
	for _, o := range c.w.origins {
		go func() {
			b := make([]byte, 2048)
			for {
				n, from, err := o.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				o.WriteToUDPAddrPort(b[:n], from)
			}
		}()
	}
	out, in := append([]byte(header(host, 161)), make([]byte, 512)...), make([]byte, 2048)
	return func() {
		if _, err := c.conn.WriteToUDPAddrPort(out, c.relay); err != nil {
			c.w.t.Fatal(err)
		}
		if _, _, err := c.conn.ReadFromUDPAddrPort(in); err != nil {
			c.w.t.Fatal(err)
		}
	}
}

// BenchmarkUDP measures a datagram to an address or a name, there and back, with its client and
// its origin.
func BenchmarkUDP(b *testing.B) {
	for _, host := range []string{"8.8.8.9", "a.example"} {
		b.Run(host, func(b *testing.B) {
			w := newUDPWorld(b, nil)
			w.origin("8.8.8.9:161")
			w.origin("8.8.8.8:161")
			trip := w.associated().tripper(host)
			b.ReportAllocs()
			for b.Loop() {
				trip()
			}
		})
	}
}
