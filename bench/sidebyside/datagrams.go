// Datagrams: the row of SOCKS5 associations, its clients and its origin, and the least cost of a
// relay of datagrams in Go.

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	socksAddr  = "127.0.0.1:1080"
	bareUDP    = "127.0.0.1:1081"
	originUDP  = "127.0.0.1:9000"
	content    = 512 // octets of a datagram
	udpClients = 8
	udpWindow  = 8 // datagrams in flight of each client
)

// bareDatagrams relays the datagrams of each client address to the origin, over a socket of its
// own, and back. It has no header, no policy, no idle limit and no journal. It listens by TCP only
// to show that it runs.
func bareDatagrams() error {
	l, err := net.Listen("tcp", proxyAddr)
	if err != nil {
		return err
	}
	defer l.Close()
	pc, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(bareUDP)))
	if err != nil {
		return err
	}
	flows := map[netip.AddrPort]*net.UDPConn{}
	buf := make([]byte, 1<<16)
	for {
		n, from, err := pc.ReadFromUDPAddrPort(buf)
		if err != nil {
			return err
		}
		up := flows[from]
		if up == nil {
			if up, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(originUDP))); err != nil {
				return err
			}
			flows[from] = up
			go func() {
				buf := make([]byte, 1<<16)
				for {
					n, err := up.Read(buf)
					if err != nil {
						return
					}
					pc.WriteToUDPAddrPort(buf[:n], from)
				}
			}()
		}
		up.Write(buf[:n])
	}
}

// echoDatagrams is the origin.
func echoDatagrams(pc *net.UDPConn) {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := pc.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		pc.WriteToUDPAddrPort(buf[:n], from)
	}
}

// datagrams sends n datagrams from eight clients and waits for their echoes. It returns how many
// got none within a second.
func datagrams(r *running, n int) int {
	var wg sync.WaitGroup
	lost := make([]int, udpClients)
	for i := range lost {
		wg.Go(func() {
			var err error
			if lost[i], err = datagramsFrom(r, n/udpClients); err != nil {
				lost[i] = n / udpClients
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, l := range lost {
		sum += l
	}
	return sum
}

func datagramsFrom(r *running, n int) (lost int, err error) {
	relay, header := bareUDP, []byte(nil)
	if r.name != "bare-udp" {
		control, at, err := associate()
		if err != nil {
			return n, err
		}
		defer control.Close()
		relay, header = at, []byte{0, 0, 0, 1, 127, 0, 0, 1, 9000 >> 8, 9000 & 255}
	}
	c, err := net.Dial("udp", relay)
	if err != nil {
		return n, err
	}
	defer c.Close()
	out, in, got, sent := append(header, make([]byte, content)...), make([]byte, 2048), 0, 0
	for got < n {
		for ; sent < n && sent-got < udpWindow; sent++ {
			c.Write(out)
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		if k, err := c.Read(in); err != nil || k != len(out) {
			return n - got, err
		}
		got++
	}
	return 0, nil
}

// associate asks for an association and returns its connection and its address.
func associate() (net.Conn, string, error) {
	c, err := net.Dial("tcp", socksAddr)
	if err != nil {
		return nil, "", err
	}
	io.WriteString(c, "\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00")
	b := make([]byte, 12)
	if _, err := io.ReadFull(c, b); err != nil || b[3] != 0 {
		return nil, "", errors.Join(fmt.Errorf("UDP ASSOCIATE: %x", b), err)
	}
	return c, fmt.Sprintf("%v:%d", netip.AddrFrom4([4]byte(b[6:10])), binary.BigEndian.Uint16(b[10:])), nil
}
