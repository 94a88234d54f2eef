// Load: the rows, the origin behind the peers, and the clients in front of
// them.

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	originDNS  = "127.0.0.1:53"
	originTLS  = "127.0.0.1:443"
	originBulk = "127.0.0.1:8444"
)

// A row is one kind of work. run does n units against a peer.
type row struct {
	name, unit string
	n, per     float64 // units in a sample; units in the printed figure
	kind       kind
	run        func(b *bench, r *running, n int) (errs int)
}

// A kind is one way to reach a peer.
type kind int

const (
	byDNS kind = iota
	byConnect
	byRedirect
	byHTTP
	byAssociation
)

var rows = []row{
	{"connect", "s/1000 CONNECT with TLS 1.3 and a request", 3000, 1000, byConnect, func(b *bench, r *running, n int) int {
		return parallel(n, 32, func(i int) error { return tunnelOnce(r.proxy, names[i%7]) })
	}},
	{"denied", "s/1000 denied CONNECT", 6000, 1000, byConnect, func(b *bench, r *running, n int) int {
		return parallel(n, 32, func(i int) error { return deniedOnce(r.proxy, fmt.Sprintf("n%d.denied.test", i%500)) })
	}},
	{"bulk", "s/GB through one tunnel", 3, 1, byConnect, func(b *bench, r *running, n int) int {
		return parallel(n, 1, func(int) error { return bulkOnce(r.proxy, b.hello) })
	}},
	{"http1", "s/1000 plain requests of 1 KiB, one name on each kept connection", 12000, 1000, byHTTP, func(b *bench, r *running, n int) int {
		return getMany(r.proxy, n, 32, false)
	}},
	{"http", "s/1000 plain requests of 1 KiB, 77 names on each kept connection", 12000, 1000, byHTTP, func(b *bench, r *running, n int) int {
		return getMany(r.proxy, n, 32, true)
	}},
	{"redirected", "s/1000 redirected connections with TLS 1.3 and a request", 3000, 1000, byRedirect, func(b *bench, r *running, n int) int {
		return parallel(n, 32, func(i int) error { return redirectedOnce(names[i%7]) })
	}},
	{"redirected-denied", "s/1000 redirected connections that are denied", 6000, 1000, byRedirect, func(b *bench, r *running, n int) int {
		return parallel(n, 32, func(i int) error { return redirectedDenied(fmt.Sprintf("n%d.denied.test", i%500)) })
	}},
	{"redirected-bulk", "s/GB through one redirected connection", 3, 1, byRedirect, func(b *bench, r *running, n int) int {
		return parallel(n, 1, func(int) error { return redirectedBulk(b.hello) })
	}},
	{"socks-udp", "s/million datagrams of 512 octets there and back", 200000, 1e6, byAssociation, func(_ *bench, r *running, n int) int {
		return datagrams(r, n)
	}},
	{"dns-cached", "s/million permitted queries", 200000, 1e6, byDNS, func(b *bench, r *running, n int) int {
		return askMany(r.dns, n, func(i int) string { return names[i%7] })
	}},
	{"dns-denied", "s/million denied queries", 200000, 1e6, byDNS, func(b *bench, r *running, n int) int {
		return askMany(r.dns, n, func(i int) string { return fmt.Sprintf("n%d.denied.test", i%5000) })
	}},
}

// bench holds the origin and the samples.
type bench struct {
	self, binary string
	scale        float64
	hello        []byte   // a ClientHello for bulk.allowed.test
	pem          []byte   // a certificate and its key, for peers that need one
	rows         []string // nil: all
	closers      []io.Closer
	samples      map[string][]float64
	errors       map[string]int
}

func newBench(binary string, scale float64) (*bench, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bench{self: self, binary: binary, scale: scale, samples: map[string][]float64{}, errors: map[string]int{}}
	pc, err := net.ListenPacket("udp", originDNS)
	if err != nil {
		return nil, err
	}
	server := &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(answerLoopback)}
	go server.ActivateAndServe()
	cert, pem, err := selfSigned()
	if err != nil {
		return nil, err
	}
	b.pem = pem
	if err := redirect(); err != nil {
		return nil, err
	}
	secure, err := tls.Listen("tcp", originTLS, &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		return nil, err
	}
	bulk, err := net.Listen("tcp", originBulk)
	if err != nil {
		return nil, err
	}
	plain, err := net.Listen("tcp", originHTTP)
	if err != nil {
		return nil, err
	}
	echo, err := net.ListenPacket("udp4", originUDP)
	if err != nil {
		return nil, err
	}
	go echoDatagrams(echo.(*net.UDPConn))
	parent, err := net.Listen("tcp", parentAddr)
	if err != nil {
		return nil, err
	}
	go serve(parent, bareParent)
	go serve(secure, answerOnce)
	go serveHTTP(plain)
	go serve(bulk, streamZeros)
	b.closers = []io.Closer{pc, echo, secure, bulk, plain, parent}
	b.hello = captureHello("bulk.allowed.test")
	return b, nil
}

func (b *bench) close() {
	for _, c := range b.closers {
		c.Close()
	}
}

// measure takes one sample of every row that the peer supports, each with a new
// process.
func (b *bench) measure(name string) error {
	i := slices.IndexFunc(peers, func(p peer) bool { return p.name == name })
	if i < 0 {
		return errors.New("no such peer")
	}
	for _, w := range rows {
		if !peers[i].can(w.kind) || b.rows != nil && !slices.Contains(b.rows, w.name) {
			continue
		}
		r, err := b.start(peers[i])
		if err != nil {
			return err
		}
		n := max(1, int(w.n*b.scale))
		w.run(b, r, max(1, n/20)) // warm up
		before := r.cpu()
		errs := w.run(b, r, n)
		b.samples[w.name+"/"+name] = append(b.samples[w.name+"/"+name], (r.cpu()-before)/float64(n)*w.per)
		b.errors[w.name+"/"+name] += errs
		r.stop()
	}
	return nil
}

func (b *bench) median(row, peer string) float64 {
	s := slices.Sorted(slices.Values(b.samples[row+"/"+peer]))
	if len(s) == 0 {
		return 0
	}
	return s[len(s)/2]
}

func parallel(n, c int, f func(i int) error) int {
	var next, errs atomic.Int64
	var wg sync.WaitGroup
	for range c {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil && errs.Add(1) == 1 {
					log.Print("first error of a sample: ", err)
				}
			}
		})
	}
	wg.Wait()
	return int(errs.Load())
}

// connect asks a proxy for a tunnel and returns the connection and its status.
func connect(proxy, hostport string) (net.Conn, *bufio.Reader, string, error) {
	c, err := net.Dial("tcp", proxy)
	if err != nil {
		return nil, nil, "", err
	}
	c.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", hostport)
	r := bufio.NewReader(c)
	status, err := r.ReadString('\n')
	for line := ""; err == nil && line != "\r\n"; {
		line, err = r.ReadString('\n')
	}
	return c, r, status, err
}

func tunnelOnce(proxy, name string) error {
	c, _, status, err := connect(proxy, name+":443")
	if err != nil {
		return err
	}
	defer c.Close()
	if !strings.Contains(status, " 200 ") {
		return errors.New(status)
	}
	return requestOver(c, name)
}

func deniedOnce(proxy, name string) error {
	c, _, status, err := connect(proxy, name+":443")
	if err != nil {
		return err
	}
	defer c.Close()
	if !strings.Contains(status, " 403 ") {
		return errors.New(status)
	}
	return nil
}

// bulkOnce reads one GB (10^9 octets) through a tunnel.
func bulkOnce(proxy string, hello []byte) error {
	c, r, status, err := connect(proxy, "bulk.allowed.test:8444")
	if err != nil {
		return err
	}
	defer c.Close()
	if !strings.Contains(status, " 200 ") {
		return errors.New(status)
	}
	return readBulk(c, r, hello)
}

// readBulk sends a ClientHello and reads 10^9 bytes.
func readBulk(c net.Conn, r io.Reader, hello []byte) error {
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write(hello); err != nil {
		return err
	}
	buf := make([]byte, 1<<18)
	for left := 1_000_000_000; left > 0; {
		n, err := r.Read(buf)
		if left -= n; err != nil && left > 0 {
			return err
		}
	}
	return nil
}
