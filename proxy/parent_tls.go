// Parent, TLS: the connection to an https parent.

package proxy

import (
	"context"
	"crypto/tls"
	"net"

	"sallyport/rules"
)

// secure makes TLS with a parent. Its certificate must have the name or the address of its url.
func secure(ctx context.Context, tcp *net.TCPConn, parent *rules.Parent) (*tls.Conn, error) {
	cfg := &tls.Config{ServerName: parent.At.Host(), RootCAs: parent.Roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	if parent.Certificate != nil {
		cfg.Certificates = []tls.Certificate{*parent.Certificate}
	}
	conn := tls.Client(tcp, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		e := &parentError{parent: parent, cause: rules.ParentTLS, broken: true, err: err}
		if timedOut(err) {
			e.cause = rules.ParentTimedOut
		}
		return nil, e
	}
	return conn, nil
}
