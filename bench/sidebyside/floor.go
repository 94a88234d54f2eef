// Floors and DNS: the least cost of a relay and of a resolver in Go, and the
// DNS client of the rows.

package main

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// bareRelay answers CONNECT for names below allowed.test and copies with
// io.Copy. It has no policy, no check of the bytes and no journal.
func bareRelay(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	serve(l, func(c net.Conn) {
		defer c.Close()
		line, err := bufio.NewReader(io.LimitReader(c, 4096)).ReadString('\n')
		f := strings.Fields(line)
		if err != nil || len(f) < 2 {
			return
		}
		host, port, _ := net.SplitHostPort(f[1])
		if !strings.HasSuffix(host, ".allowed.test") {
			io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
			return
		}
		up, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return
		}
		defer up.Close()
		io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(up, c); up.(*net.TCPConn).CloseWrite() }()
		io.Copy(c, up)
	})
	return nil
}

// bareParent is the parent of a proxy: it answers CONNECT for every address.
func bareParent(c net.Conn) {
	defer c.Close()
	line, err := bufio.NewReader(io.LimitReader(c, 4096)).ReadString('\n') // the head comes in one piece
	f := strings.Fields(line)
	if err != nil || len(f) < 2 {
		return
	}
	up, err := net.Dial("tcp", f[1])
	if err != nil {
		return
	}
	defer up.Close()
	io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { io.Copy(up, c); up.(*net.TCPConn).CloseWrite() }()
	io.Copy(c, up)
}

// bareDNS is a resolver with a map and a socket.
func bareDNS(addr string) error {
	a, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return err
	}
	pc, err := net.ListenUDP("udp", a)
	if err != nil {
		return err
	}
	buf := make([]byte, 512)
	for {
		n, from, err := pc.ReadFromUDPAddrPort(buf)
		if err != nil {
			return err
		}
		buf[2], buf[3] = 0x81, 0x80
		if !strings.Contains(string(buf[:n]), "\x07allowed\x04test\x00") {
			buf[3] = 0x85
		}
		pc.WriteToUDPAddrPort(buf[:n], from)
	}
}

// answerLoopback is the resolver of the peers: it answers 127.0.0.1 for every
// name.
func answerLoopback(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	if q.Question[0].Qtype == dns.TypeA {
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 3600}, A: net.IPv4(127, 0, 0, 1)}}
	}
	w.WriteMsg(m)
}

func askDNS(addr, name string) (*dns.Msg, error) {
	c := dns.Client{Timeout: time.Second}
	m, _, err := c.Exchange(new(dns.Msg).SetQuestion(name+".", dns.TypeA), addr)
	return m, err
}

// askMany sends n queries from eight sockets, each with a window of queries in
// flight, and returns how many got no reply within a second.
func askMany(addr string, n int, name func(i int) string) int {
	var wg sync.WaitGroup
	lost := make([]int, 8)
	for s := range 8 {
		wg.Go(func() { lost[s] = askFrom(addr, s, n/8, name) })
	}
	wg.Wait()
	sum := 0
	for _, l := range lost {
		sum += l
	}
	return sum
}

func askFrom(addr string, s, n int, name func(i int) string) int {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return n
	}
	defer c.Close()
	queries := make([][]byte, min(n, 700))
	for i := range queries {
		queries[i], _ = new(dns.Msg).SetQuestion(name(s*700+i)+".", dns.TypeA).Pack()
	}
	buf, got, sent := make([]byte, 4096), 0, 0
	for got < n {
		for ; sent < n && sent-got < 24; sent++ {
			c.Write(queries[sent%len(queries)])
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.Read(buf); err != nil {
			return n - got
		}
		got++
	}
	return 0
}
