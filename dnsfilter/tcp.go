// TCP: reads queries from connections, several at a time, and writes replies.

package dnsfilter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/rules"
	"sallyport/rules/proxyheader"
)

// maxPipelined is how many queries of one connection may wait for upstreams.
// The next query is read when there is room.
const maxPipelined = 16

// accept serves the connections of a listener until it is closed.
func (s *service) accept(ctx context.Context, ln *socket[net.Listener]) {
	for pause := time.Duration(0); ; {
		conn, err := ln.conn.Accept()
		ln.returns.Add(1)
		switch {
		case err == nil:
			pause = 0
			s.admit(ctx, conn)
			continue
		case errors.Is(err, net.ErrClosed) || ctx.Err() != nil:
			s.fail(ctx, err)
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			ln.wake(time.Time{})
			continue
		}
		// Out of descriptors, or the client is gone: pause, then continue.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// admit serves a connection. A connection above its client's quota waits for a
// while first. If too many wait already, admit refuses it.
func (s *service) admit(ctx context.Context, conn net.Conn) {
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		conn.Close()
		return
	}
	c := &tcpConn{s: s, conn: conn, client: rules.ClientAddr(from), room: make(chan struct{}, maxPipelined)}
	if s.f.fromBalancer(c.client) {
		s.introduce(ctx, c)
	} else {
		s.enter(ctx, c)
	}
}

// enter serves a connection whose client is known.
func (s *service) enter(ctx context.Context, c *tcpConn) {
	c.queue, c.owner = s.f.queueOf(c.client)
	place, ok := c.queue.enter(c.owner)
	if !ok {
		s.f.refuseConn(c.conn, c.client)
		return
	}
	s.readers.Go(func() {
		if place != nil && !c.queue.await(place, firstQueryTimeout) {
			s.f.refuseConn(c.conn, c.client)
			return
		}
		s.hold(c)
		c.serve(ctx)
	})
}

// hold lets stopReading end the reads of c.
func (s *service) hold(c *tcpConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
}

// release undoes hold.
func (s *service) release(c *tcpConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// refuseConn records a connection above the limits and closes it.
func (f *Filter) refuseConn(conn net.Conn, client netip.AddrPort) {
	f.cfg.Gate.Decide(rules.Attempt{
		Flow: f.nextFlow(), Via: rules.ViaDNS, Client: client, SourceProven: true, Proto: rules.TCP,
		Fault: rules.Limit, Detail: "DNS connections by TCP",
	})
	conn.Close()
}

// queueOf returns the queue that counts a client's connections, and the
// client's key in that queue. Unknown clients have a small queue of their own,
// so that they cannot keep the others out.
func (f *Filter) queueOf(client netip.AddrPort) (*connQueue, rules.QuotaKey) {
	d := f.cfg.Gate.Preview(rules.Attempt{Via: rules.ViaDNS, Client: client, Proto: rules.TCP})
	if d.Client == nil {
		return f.unknownConns, rules.QuotaKeyOf(client.Addr(), d.Client)
	}
	return f.conns, rules.QuotaKeyOf(client.Addr(), d.Client)
}

// tcpConn is one client's connection.
type tcpConn struct {
	s        *service
	conn     net.Conn
	client   netip.AddrPort
	queue    *connQueue     // the queue that counts the connection
	owner    rules.QuotaKey // the client in that queue
	gotQuery atomic.Bool    // it had its first query
	room     chan struct{}  // holds one value for each query in flight
	wait     sync.WaitGroup // waits for the queries in flight

	mu sync.Mutex // held while a reply is written
}

// serve answers queries until the client closes, breaks the protocol or is
// idle.
func (c *tcpConn) serve(ctx context.Context) {
	defer c.close()
	buf, out := make([]byte, maxQuery), make([]byte, 2, maxQuery)
	for {
		m, err := c.read(ctx, buf)
		c.gotQuery.Store(true)
		var cut *brokenMessage
		if errors.As(err, &cut) {
			c.refuse(m, cut)
		}
		if err != nil || !c.answer(ctx, m, out) {
			return
		}
	}
}

// close waits for the answers in flight, closes the connection and releases its
// place.
func (c *tcpConn) close() {
	c.wait.Wait()
	c.conn.Close()
	c.queue.release(c.owner)
	c.s.release(c)
}

// firstQueryTimeout is how long a connection without a query may go on once
// Serve must end. It is also how long a connection above its client's quota
// waits for room. Clients wait longer for an answer: five seconds by default
// (resolv.conf(5)).
const firstQueryTimeout = 2 * time.Second

// lastRead returns when reads end once Serve must stop.
func (c *tcpConn) lastRead() time.Time {
	if c.gotQuery.Load() {
		return past
	}
	return time.Now().Add(firstQueryTimeout)
}

// A brokenMessage is the error of a message that began but is incomplete or too
// long.
type brokenMessage struct {
	fault  rules.Reason
	detail string
}

// Error returns the detail for the attempt.
func (e *brokenMessage) Error() string { return e.detail }

// read returns the next message: its length, then as many bytes, all within one
// deadline that slow bytes do not extend. If a message begins but does not end,
// or its length is impossible for a query, the error is a brokenMessage, and
// read returns the bytes that came. Any other error is the end of a connection
// between two messages.
func (c *tcpConn) read(ctx context.Context, buf []byte) ([]byte, error) {
	c.await(ctx)
	got, err := io.ReadFull(c.conn, buf[:2])
	switch {
	case err != nil && got == 0:
		return nil, err
	case err != nil:
		return nil, brokenBy(ctx, err, "the length of a message", got, 2)
	}
	n := int(binary.BigEndian.Uint16(buf))
	if n == 0 || n > len(buf) {
		return nil, &brokenMessage{rules.MalformedRequest, fmt.Sprintf("a message of %d octets: a query has 1 to %d", n, len(buf))}
	}
	if got, err = io.ReadFull(c.conn, buf[:n]); err != nil {
		if proxyheader.Begins(append([]byte{byte(n >> 8), byte(n)}, buf[:got]...)) {
			return nil, &brokenMessage{rules.MalformedRequest, proxyheader.Unexpected}
		}
		return buf[:got], brokenBy(ctx, err, "a message", got, n)
	}
	return buf[:n], nil
}

// await sets the deadline of the next read.
func (c *tcpConn) await(ctx context.Context) {
	c.conn.SetReadDeadline(time.Now().Add(c.s.f.cfg.TCPIdle))
	if ctx.Err() != nil { // otherwise the new deadline could replace the deadline that ends this read
		c.conn.SetReadDeadline(c.lastRead())
	}
}

// brokenBy returns what ended a message after got of its n bytes: the client,
// its deadline, or the end of Serve.
func brokenBy(ctx context.Context, err error, what string, got, n int) *brokenMessage {
	detail := fmt.Sprintf("%s ended after %d of %d octets", what, got, n)
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return &brokenMessage{rules.MalformedRequest, detail}
	case ctx.Err() != nil:
		return &brokenMessage{rules.Draining, detail}
	}
	return &brokenMessage{rules.SniffTimeout, detail}
}

// refuse records a broken message, with the question if that is readable.
func (c *tcpConn) refuse(m []byte, cut *brokenMessage) {
	f := c.s.f
	q := query{msg: m, client: c.client, proto: rules.TCP, proven: true, flow: f.nextFlow(), arrived: f.cfg.Now()}
	defer f.recovered(&q)
	q.inspect() // for the question
	a := q.attempt(f.cfg.Generation(), fault{detail: cut.detail})
	a.Fault = cut.fault
	f.cfg.Gate.Decide(a)
	f.observe(&q, KindDropped, 0)
}

// answer replies to one message and reports whether the connection may go on.
func (c *tcpConn) answer(ctx context.Context, m, out []byte) bool {
	q := query{msg: m, client: c.client, proto: rules.TCP}
	defer c.s.f.recovered(&q)
	reply, p := c.s.f.handle(&q, out)
	if p != nil {
		c.room <- struct{}{}
		c.wait.Add(1)
		go c.finish(context.WithoutCancel(ctx), p)
		return true
	}
	if len(reply) <= 2 {
		return false // no reply: the other side is not a DNS client
	}
	return c.write(reply) == nil
}

// finish answers a pending query.
func (c *tcpConn) finish(ctx context.Context, p *pending) {
	defer c.wait.Done()
	defer func() { <-c.room }()
	defer c.s.f.recovered(&p.q)
	if reply := c.s.f.finish(ctx, p, make([]byte, 2, maxUDP)); len(reply) > 2 {
		c.write(reply)
	}
}

// write sends a reply. Its first two bytes are room for its length.
func (c *tcpConn) write(reply []byte) error {
	binary.BigEndian.PutUint16(reply, uint16(len(reply)-2))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(c.s.f.cfg.TCPIdle))
	_, err := c.conn.Write(reply)
	return err
}
