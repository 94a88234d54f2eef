// Parent, TLS: the connection to an https parent.

package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"sallyport/proxy/relay"
	"sallyport/rules"
)

// secure makes TLS with a parent. Its certificate must have the name or the address of its url.
// asked reports whether the parent asked for a client certificate.
func secure(ctx context.Context, tcp *net.TCPConn, parent *rules.Parent) (conn *tls.Conn, asked bool, err error) {
	cfg := &tls.Config{ServerName: parent.At.Host(), RootCAs: parent.Roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	cfg.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) { // the parent's own certificate is verified by now
		asked = true
		if mine := parent.Certificate; mine != nil && request.SupportsCertificate(mine) == nil {
			return mine, nil
		}
		return new(tls.Certificate), nil
	}
	conn = tls.Client(&relay.Wire{TCPConn: tcp}, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		e := &parentError{parent: parent, cause: rules.ParentTLS, broken: true, certificate: asked, err: err}
		if timedOut(err) {
			e.cause = rules.ParentTimedOut
		}
		return nil, asked, e
	}
	return conn, asked, nil
}

// alertWait is how long a check waits for a parent that asked for a client certificate to refuse it.
const alertWait = time.Second

// notRefused reports the refusal of a parent that asked for a client certificate. With TLS 1.3 the
// refusal comes after the handshake. A parent that accepts says nothing, so the wait is short.
func notRefused(l link) error {
	if !l.asked {
		return nil
	}
	l.tcp.SetReadDeadline(time.Now().Add(alertWait))
	if _, err := l.tls.Read(make([]byte, 1)); err != nil && !timedOut(err) {
		return askFailed(l, err)
	}
	return nil
}
