// Stream: carries the messages of syslog over TCP, TLS, UDP or a Unix socket.

package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"sallyport/denials/journal"
	"sallyport/rules"
)

const (
	connectWithin = 10 * time.Second
	writeWithin   = 30 * time.Second
)

// errEnded is why a connection is gone that the receiver closed in order.
var errEnded = errors.New("the receiver closed the connection")

// A stream is an output for syslog.
type stream struct {
	cfg    Config
	syslog syslog
	raw    net.Conn // without TLS; nil: not connected
	conn   net.Conn // raw, or TLS on it
	framed bool     // messages follow each other in a stream: each begins with its length (RFC 6587, 3.4.1)
	sent   *counter // octets through raw; over all connections
	known  int64    // of these, the receiver's kernel has
	ended  *end     // of the connection
	buf    []byte
	body   []byte
}

// An end is why a connection ended. A goroutine that reads from the connection sets it.
type end struct {
	err  atomic.Pointer[error]
	done chan struct{}
}

// A counter counts the octets that were written to a connection.
type counter struct {
	net.Conn
	n *atomic.Int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.n.Add(int64(max(n, 0)))
	return n, err
}

func (o *stream) hold() time.Duration { return o.cfg.hold }

func (o *stream) written() int64 {
	if o.sent == nil {
		return 0
	}
	return o.sent.n.Load()
}

// acked asks the kernel how much of what was written the other side has not acknowledged yet.
func (o *stream) acked() int64 {
	if o.raw == nil || !o.framed {
		return o.written() // a datagram has no acknowledgement
	}
	wrote := o.written()
	if waits, ok := unacknowledged(o.raw); ok && (waits == 0 || o.cfg.Sink.Scheme != rules.SinkUnix) { // of a Unix socket the kernel counts memory, not octets
		o.known = max(o.known, wrote-int64(waits))
	}
	return o.known
}

// message returns a message of RFC 5424, with its length in front if it is framed. A Unix socket is
// asked for its kind when it is connected, so the length is added there.
func (o *stream) message(r *journal.Record, line []byte) []byte {
	o.body = asciiJSON(o.body[:0], line)
	return o.syslog.append(nil, r, o.body)
}

func (o *stream) send(ctx context.Context, messages [][]byte) error {
	if o.conn == nil {
		if err := o.connect(ctx); err != nil {
			return err
		}
	}
	_ = o.conn.SetWriteDeadline(time.Now().Add(writeWithin))
	conn := o.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if !o.framed {
		for _, m := range messages {
			if _, err := o.conn.Write(m); err != nil {
				return err
			}
		}
		return nil
	}
	o.buf = o.buf[:0]
	for _, m := range messages {
		o.buf = strconv.AppendInt(o.buf, int64(len(m)), 10)
		o.buf = append(append(o.buf, ' '), m...)
	}
	_, err := o.conn.Write(o.buf)
	if cap(o.buf) > 4*octetsMax {
		o.buf = nil
	}
	return err
}

// connect connects, shakes hands, and begins to read: the receiver sends nothing, but it may end the
// connection.
func (o *stream) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	raw, err := o.cfg.Dial(ctx, o.cfg.Sink)
	if err != nil {
		return err
	}
	if o.sent == nil {
		o.sent = &counter{n: new(atomic.Int64)}
	}
	counted := &counter{raw, o.sent.n}
	o.raw, o.conn, o.known = raw, counted, o.sent.n.Load()
	o.framed = raw.RemoteAddr().Network() != "udp" && raw.RemoteAddr().Network() != "unixgram"
	if s := o.cfg.Sink; s.Scheme == rules.SinkTLS {
		conf := &tls.Config{ServerName: s.At.Host(), RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
		if s.Certificate != nil {
			conf.Certificates = []tls.Certificate{*s.Certificate}
		}
		secure := tls.Client(counted, conf)
		o.conn = secure
		if err := secure.HandshakeContext(ctx); err != nil {
			o.close()
			return fmt.Errorf("TLS with %s: %w", s.At, err)
		}
	}
	o.ended = &end{done: make(chan struct{})}
	go o.ended.watch(o.conn)
	return nil
}

// watch reads until the connection ends, and throws away what it reads.
func (e *end) watch(conn net.Conn) {
	defer close(e.done)
	_, err := io.Copy(io.Discard, onlyReader{conn})
	if err == nil || errors.Is(err, io.ErrUnexpectedEOF) { // TLS that ends without its own end
		err = errEnded
	}
	e.err.Store(&err)
}

// onlyReader hides the other methods of a connection from io.Copy.
type onlyReader struct{ io.Reader }

func (o *stream) check() error {
	if o.ended == nil {
		return nil
	}
	if err := o.ended.err.Load(); err != nil {
		return *err
	}
	return nil
}

// finish closes our direction, and waits for the receiver to close its own. Datagrams have no end.
func (o *stream) finish(ctx context.Context) error {
	if o.conn == nil {
		return nil
	}
	defer o.close()
	if !o.framed {
		return nil
	}
	half, ok := o.conn.(interface{ CloseWrite() error })
	if !ok {
		half, ok = o.raw.(interface{ CloseWrite() error })
	}
	if !ok {
		return errors.ErrUnsupported
	}
	if err := half.CloseWrite(); err != nil {
		return err
	}
	if tcp, ok := o.raw.(*net.TCPConn); ok && o.conn != o.raw {
		_ = tcp.CloseWrite() // after the close_notify of TLS
	}
	select {
	case <-o.ended.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := o.check(); !errors.Is(err, errEnded) {
		return err
	}
	return nil
}

func (o *stream) close() {
	if o.raw != nil {
		_ = o.raw.Close()
	}
	o.raw, o.conn, o.ended = nil, nil, nil
}
