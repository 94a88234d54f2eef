// Example: the shortest front end: datagrams of one client to one destination.

package datagram_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"sallyport/proxy/datagram"
	"sallyport/rules"
	"sallyport/rules/site"
)

// printer is the way back to the client.
type printer struct{ done chan struct{} }

func (p printer) Reply(b []byte) error {
	fmt.Printf("reply: %s\n", b[datagram.Headroom:])
	p.done <- struct{}{}
	return nil
}

func (p printer) Close() { fmt.Println("the flow has ended") }

func Example() {
	destination, _ := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	defer destination.Close()
	to := destination.LocalAddr().(*net.UDPAddr).AddrPort()

	config, _ := site.Parse("example.toml", site.Disk{}, fmt.Appendf(nil, `
[[client]]
name = "lab"
sources = ["192.0.2.0/24"]
profiles = []
[[rule]]
id = "echo"
client = "lab"
to = ["127.0.0.1"]
udp = [%d]
reason = "example"
`, to.Port()), nil)
	policy, _ := rules.Compile(&config.Spec, rules.Own{}, time.Now())

	table := datagram.New(datagram.Config{
		Gate: policy,
		Resolve: func(_ context.Context, _ rules.Decision, a rules.Attempt) ([]netip.Addr, rules.Attempt, error) {
			return []netip.Addr{a.Dest.Addr()}, a, nil
		},
		Closed: func(c rules.Close) { fmt.Printf("%d bytes in, %d bytes out\n", c.BytesIn, c.BytesOut) },
	})
	way := printer{make(chan struct{})}
	group := table.Group(datagram.FrontEnd{
		Ask: func(_ netip.AddrPort, to rules.Authority) rules.Attempt {
			return rules.Attempt{Via: rules.ViaUDP, Authority: to.Name, Dest: netip.AddrPortFrom(to.Addr, to.Port)}
		},
		Open: func(netip.AddrPort, rules.Authority, netip.AddrPort) (datagram.Replier, error) { return way, nil },
	})

	client := netip.MustParseAddrPort("192.0.2.7:4000")
	group.Send(client, rules.Authority{Addr: to.Addr(), Port: to.Port()}, []byte("hello"))
	group.Send(client, rules.Authority{Addr: to.Addr(), Port: 9}, []byte("denied"))

	b := make([]byte, 100)
	n, from, _ := destination.ReadFromUDPAddrPort(b)
	fmt.Printf("the destination got %s\n", b[:n])
	destination.WriteToUDPAddrPort([]byte("world"), from)
	<-way.done
	group.Close(rules.EndClean)
	fmt.Println(table.Stats().Dropped[datagram.Denied], "denied")
	// Output:
	// the destination got hello
	// reply: world
	// 5 bytes in, 5 bytes out
	// the flow has ended
	// 1 denied
}
