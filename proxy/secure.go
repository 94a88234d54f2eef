// Secure: clients of the HTTP proxy that speak TLS with the proxy itself.

package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"sallyport/proxy/hello"
	"sallyport/proxy/proof"
	"sallyport/proxy/relay"
	"sallyport/rules"
	"sallyport/rules/proxyheader"
	"sallyport/rules/quota"
)

// ServeHTTPS serves clients of the HTTP proxy that speak TLS on l, until ctx ends or Drain begins.
func (p *Proxy) ServeHTTPS(ctx context.Context, l net.Listener) error {
	return p.serve(ctx, l, frontEnd{via: rules.ViaHTTP, handle: p.handleHTTPS})
}

func (p *Proxy) handleHTTPS(ctx context.Context, c *client) {
	if p.secureClient(ctx, c) {
		p.handleHTTPConn(ctx, c)
	}
}

// secureClient makes TLS with a client, by the generation in force. It reports false if there is no
// TLS: then it has recorded the denial, or counted a connection without a byte. All of it has one
// deadline, and the client can make this host compute and hold only so much.
func (p *Proxy) secureClient(ctx context.Context, c *client) bool {
	if c.behind == nil { // else the deadline is that of the balancer's header
		c.Deadline(p.limits.Head)
	}
	if len(c.Bytes) == 0 && p.await(c, hello.MaxRecords) != nil {
		p.count.empty.Add(1)
		return false
	}
	if c.Bytes[0] != hello.RecordHandshake {
		p.notSecure(c)
		return false
	}
	server := proof.Of(p.cfg.Generation()).Server
	if server == nil {
		p.denySecure(c, rules.MalformedRequest, "the configuration in force has no [listen] https; a restart closes this listener")
		return false
	}
	switch p.handshakes.Acquire(c.by) {
	case quota.OverQuota:
		p.denySecure(c, rules.Limit, "the client's quota of limits.sniffing is reached by TLS handshakes")
		return false
	case quota.OverLimit:
		p.denySecure(c, rules.Limit, "limits.sniffing is reached by TLS handshakes")
		return false
	}
	err := p.shakeHands(ctx, c, server)
	p.handshakes.Release(c.by)
	if err != nil {
		p.failedHandshake(c, err)
		return false
	}
	p.count.handshakes.Add(1)
	if c.shown != nil {
		checked := c.shown.check(p.cfg.Generation(), time.Now())
		p.count.certificates[checked.Result].Add(1)
		if checked.Result != proof.Accepted {
			p.warnSecure("certificate of a client refused", c, checked.Fault)
		} else {
			p.clients.proven(c)
		}
	}
	return true
}

// shakeHands makes the handshake. The deadline for reading is set already.
func (p *Proxy) shakeHands(ctx context.Context, c *client, server *proof.Server) error {
	wire := &handshakeWire{Wire: relay.Wire{TCPConn: c.TCP}, first: bytes.Clone(c.Bytes), left: maxHandshake - len(c.Bytes), bounded: true}
	c.Discard(len(c.Bytes))
	c.Release()
	layer := tls.Server(wire, server.TLS)
	c.TCP.SetWriteDeadline(time.Now().Add(p.limits.Head))
	if err := layer.HandshakeContext(ctx); err != nil {
		return err
	}
	c.TCP.SetDeadline(time.Time{})
	wire.bounded = false
	c.TLS = layer
	if chain := layer.ConnectionState().PeerCertificates; len(chain) > 0 {
		c.shown = &shown{chain: chain}
	}
	return nil
}

// maxHandshake bounds what a client may send during a handshake: a hello and a chain of certificates.
const maxHandshake = 64 << 10

var errLongHandshake = errors.New("the TLS handshake is longer than 64 KiB")

// A handshakeWire is a client's connection below TLS. It first returns bytes that were read before.
type handshakeWire struct {
	relay.Wire
	first   []byte
	left    int  // bytes that the client may still send
	bounded bool // left counts
}

// Read reads what the client sends.
func (w *handshakeWire) Read(b []byte) (n int, err error) {
	if len(w.first) > 0 {
		n = copy(b, w.first)
		if w.first = w.first[n:]; len(w.first) == 0 {
			w.first = nil
		}
		return n, nil
	}
	if w.bounded && w.left <= 0 {
		return 0, errLongHandshake
	}
	if w.bounded {
		b = b[:min(len(b), w.left)]
	}
	n, err = w.Wire.Read(b)
	if w.bounded {
		w.left -= n
	}
	return n, err
}

// notSecure answers a client that does not speak TLS, in its own protocol where that is HTTP.
func (p *Proxy) notSecure(c *client) {
	first := c.Bytes[0]
	switch {
	case proxyheader.Begins(c.Bytes):
		p.denySecure(c, rules.MalformedRequest, proxyheader.Unexpected)
	case first == 4 || first == 5:
		p.denySecure(c, rules.MalformedRequest, "SOCKS on a listener for HTTP over TLS: give the client the address of [listen] socks5")
	case first < 'A' || first > 'z':
		p.denySecure(c, rules.MalformedRequest, "not TLS: "+hello.FirstByteText(first))
	default:
		a := p.attempt(c, rules.ViaHTTP)
		a.Fault, a.Detail = rules.MalformedRequest, "a request without TLS on the listener for TLS: write the proxy as https://, or use the address of [listen] http"
		c.TCP.SetWriteDeadline(time.Now().Add(time.Second))
		writeError(c, http.StatusBadRequest, a, p.cfg.Gate.Decide(a), false)
		c.HangUp()
	}
	p.count.failedHandshakes.Add(1)
}

// denySecure records the denial of a client that cannot be answered, as there is no TLS with it.
func (p *Proxy) denySecure(c *client, fault rules.Reason, detail string) {
	a := p.attempt(c, rules.ViaHTTP)
	a.Fault, a.Detail = fault, detail
	p.cfg.Gate.Decide(a)
}

// failedHandshake records a handshake that did not succeed.
func (p *Proxy) failedHandshake(c *client, err error) {
	fault, detail := rules.MalformedRequest, "the TLS handshake failed: "+err.Error()
	var alert *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		fault, detail = rules.SniffTimeout, "the TLS handshake was not complete in time"
	case errors.Is(err, errLongHandshake):
		fault, detail = rules.SniffTooLong, errLongHandshake.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		detail = "the client left during the TLS handshake"
	case errors.As(err, &alert) && alert.Op == remoteAlert:
		detail = fmt.Sprintf("the client ended the TLS handshake: %v; %s", alert.Err, mustTrust)
	case errors.As(err, &alert) && strings.HasSuffix(alert.Err.Error(), "bad record MAC"): // OpenSSL sends its alert in clear
		detail = "the client ended the TLS handshake by an alert that cannot be read; " + mustTrust
	}
	p.count.failedHandshakes.Add(1)
	p.warnSecure("TLS handshake failed", c, detail)
	p.denySecure(c, fault, detail)
}

// mustTrust is the usual cure if a client ends a handshake.
const mustTrust = "it must trust the authority of [listen] tls_cert, and reach the proxy by a name or address in it (curl: --proxy-cacert)"

// The Op of an error of package tls for an alert that the client or this host sent.
const (
	remoteAlert = "remote error"
	localAlert  = "local error"
)

// brokenTLS returns what broke TLS with a client after the handshake, such as a renegotiation; "" if
// the connection merely ended.
func brokenTLS(c *client, err error) string {
	var alert *net.OpError
	byAlert := errors.As(err, &alert) && (alert.Op == remoteAlert || alert.Op == localAlert)
	if c.TLS == nil || !byAlert && !strings.HasPrefix(err.Error(), "tls: ") { // a renegotiation is no alert
		return ""
	}
	return fmt.Sprintf("the client broke TLS after the handshake, by a renegotiation or a broken record: %v", err)
}

// warnSecure writes to the log, at most once a second: any host can cause one. The journal
// has each one.
func (p *Proxy) warnSecure(what string, c *client, why string) {
	now := time.Now().Unix()
	if last := p.said.Load(); last != now && p.said.CompareAndSwap(last, now) {
		p.log.Warn(what, "client", c.addr.String(), "why", why)
	}
}
