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
)

// pipelined is how many queries of one connection may wait for upstreams; a
// further one is not read until there is room.
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
		// Out of descriptors, or the client is gone already: go on, but not in a
		// tight loop.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// admit serves a connection, one more than its client may have after a while,
// unless too many wait already.
func (s *service) admit(ctx context.Context, conn net.Conn) {
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		conn.Close()
		return
	}
	client := rules.ClientAddr(from)
	queue, owner := s.f.queueOf(client)
	place, ok := queue.enter(owner)
	if !ok {
		s.f.refuseConn(conn, client)
		return
	}
	c := &tcpConn{s: s, conn: conn, client: client, queue: queue, owner: owner, room: make(chan struct{}, maxPipelined)}
	s.readers.Go(func() {
		if place != nil && !queue.await(place, firstQueryTimeout) {
			s.f.refuseConn(conn, client)
			return
		}
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		c.serve(ctx)
	})
}

// overConns refuses a connection that is one too many.
func (f *Filter) refuseConn(conn net.Conn, client netip.AddrPort) {
	f.cfg.Gate.Decide(rules.Attempt{
		Flow: f.nextFlow(), Via: rules.ViaDNS, Client: client, SourceProven: true, Proto: rules.TCP,
		Fault: rules.Limit, Detail: "DNS connections by TCP",
	})
	conn.Close()
}

// connsOf returns what a client's connections count against, and for whom: those
// of unknown clients have a small share, so that they cannot keep the others out.
func (f *Filter) queueOf(client netip.AddrPort) (*connQueue, rules.Party) {
	d := f.cfg.Gate.Preview(rules.Attempt{Via: rules.ViaDNS, Client: client, Proto: rules.TCP})
	if d.Client == nil {
		return f.unknownConns, rules.PartyOf(client.Addr(), d.Client)
	}
	return f.conns, rules.PartyOf(client.Addr(), d.Client)
}

// tcpConn is one client's connection.
type tcpConn struct {
	s        *service
	conn     net.Conn
	client   netip.AddrPort
	queue    *connQueue     // that the connection is counted in
	owner    rules.Party    // for whom
	gotQuery atomic.Bool    // had its first query
	room     chan struct{}  // one for each query that waits
	wait     sync.WaitGroup // for them

	mu sync.Mutex // one reply is written at a time
}

// serve answers queries until the client ends, breaks the protocol or is idle.
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

// close waits for the answers under way and gives everything back.
func (c *tcpConn) close() {
	c.wait.Wait()
	c.conn.Close()
	c.queue.release(c.owner)
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
}

// firstQuery is how long the end of Serve waits for the query of a connection
// that was accepted just before, and how long a connection that is more than its
// client may have waits until there is room: less than clients wait
// for an answer, which is five seconds by default (resolv.conf(5)).
const firstQueryTimeout = 2 * time.Second

// last is when reads end once Serve is told to stop.
func (c *tcpConn) lastRead() time.Time {
	if c.gotQuery.Load() {
		return past
	}
	return time.Now().Add(firstQueryTimeout)
}

// A cutOff is why a message that was begun is none.
type brokenMessage struct {
	fault  rules.Reason
	detail string
}

func (e *brokenMessage) Error() string { return e.detail }

// read returns the next message: its length, then as many octets, all within
// one deadline that no trickle of octets moves. A message that is begun but does
// not end, or cannot be a query by its length, is a cutOff, with what came of it.
// Any other error is the end of a connection between two messages.
func (c *tcpConn) read(ctx context.Context, buf []byte) ([]byte, error) {
	c.conn.SetReadDeadline(time.Now().Add(c.s.f.cfg.TCPIdle))
	if ctx.Err() != nil { // else the deadline just set could hide the one that ends us
		c.conn.SetReadDeadline(c.lastRead())
	}
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
		return buf[:got], brokenBy(ctx, err, "a message", got, n)
	}
	return buf[:n], nil
}

// cutBy says what ended a message after got of n octets: the client, its time,
// or the end of Serve.
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

// refuse puts a message on record that was cut off, with the question where that
// can be read.
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

// answer replies to one message and tells whether the connection may go on.
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
		return false // nothing to say: not a DNS client
	}
	return c.write(reply) == nil
}

func (c *tcpConn) finish(ctx context.Context, p *pending) {
	defer c.wait.Done()
	defer func() { <-c.room }()
	defer c.s.f.recovered(&p.q)
	if reply := c.s.f.finish(ctx, p, make([]byte, 2, maxUDP)); len(reply) > 2 {
		c.write(reply)
	}
}

// write sends a reply, which has room for its length in front.
func (c *tcpConn) write(reply []byte) error {
	binary.BigEndian.PutUint16(reply, uint16(len(reply)-2))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(c.s.f.cfg.TCPIdle))
	_, err := c.conn.Write(reply)
	return err
}
