// Parent, SOCKS5: asks a SOCKS5 proxy for a connection (RFC 1928), with a login by RFC 1929.

package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/things-go/go-socks5/statute"

	"sallyport/rules"
)

// errNoSOCKS means that an answer is not one of SOCKS5.
var errNoSOCKS = errors.New("the answer is not one of SOCKS5")

// askSOCKS asks for a connection. Each message has a length that is known before it is read, so no
// byte of the destination is read.
func askSOCKS(l link, target rules.Authority) error {
	return exchangeSOCKS(l, func(c io.ReadWriter) error { return speakSOCKS(c, l.parent, target) })
}

// exchangeSOCKS turns every error of speak into a fault of the parent.
func exchangeSOCKS(l link, speak func(io.ReadWriter) error) error {
	c := &watched5{Conn: l.conn()}
	err := speak(c)
	var refused *parentError
	switch {
	case err == nil, errors.As(err, &refused):
		return err
	case c.err != nil: // the library hides the error of the connection
		return askFailed(l, c.err)
	}
	return askFailed(l, errNoSOCKS)
}

// watched5 keeps the first error of a connection.
type watched5 struct {
	net.Conn
	err error
}

// Read reads, and keeps an error.
func (c *watched5) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

// Write writes, and keeps an error.
func (c *watched5) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil && c.err == nil {
		c.err = err
	}
	return n, err
}

// speakSOCKS logs in and asks for a target.
func speakSOCKS(c io.ReadWriter, parent *rules.Parent, target rules.Authority) error {
	if err := beginSOCKS(c, parent); err != nil {
		return err
	}
	if _, err := c.Write(parentRequest(target)); err != nil {
		return err
	}
	reply, err := statute.ParseReply(c)
	if err != nil {
		return err
	}
	if reply.Reserved != 0 {
		return errNoSOCKS
	}
	return socksAnswer(parent, reply.Response)
}

// beginSOCKS agrees on a way to log in, and logs in if the parent wants that.
func beginSOCKS(c io.ReadWriter, parent *rules.Parent) error {
	methods := []byte{statute.MethodNoAuth}
	if parent.Login != (rules.Login{}) {
		methods = append(methods, statute.MethodUserPassAuth)
	}
	if _, err := c.Write(statute.NewMethodRequest(statute.VersionSocks5, methods).Bytes()); err != nil {
		return err
	}
	chosen, err := statute.ParseMethodReply(c)
	switch {
	case err != nil:
		return err
	case chosen.Ver != statute.VersionSocks5:
		return errNoSOCKS
	case chosen.Method == statute.MethodNoAcceptable:
		return &parentError{parent: parent, cause: rules.ParentAuth, socks: "no acceptable way to log in"}
	case chosen.Method == statute.MethodUserPassAuth && len(methods) > 1:
		return logIn(c, parent)
	case chosen.Method != statute.MethodNoAuth:
		return errNoSOCKS
	}
	return nil
}

// logIn sends user and password (RFC 1929).
func logIn(c io.ReadWriter, parent *rules.Parent) error {
	request := statute.NewUserPassRequest(statute.UserPassAuthVersion, []byte(parent.Login.User), []byte(parent.Login.Password))
	if _, err := c.Write(request.Bytes()); err != nil {
		return err
	}
	answer, err := statute.ParseUserPassReply(c)
	switch {
	case err != nil:
		return err
	case answer.Ver != statute.UserPassAuthVersion:
		return errNoSOCKS
	case answer.Status != statute.AuthSuccess:
		return &parentError{parent: parent, cause: rules.ParentAuth, socks: "wrong user or password"}
	}
	return nil
}

// parentRequest returns the request for a target.
func parentRequest(target rules.Authority) []byte {
	dst := statute.AddrSpec{Port: int(target.Port), AddrType: statute.ATYPDomain, FQDN: target.Name.String()}
	if a := target.Addr; a.IsValid() {
		dst = statute.AddrSpec{Port: int(target.Port), AddrType: statute.ATYPIPv6, IP: a.AsSlice()}
		if a.Is4() {
			dst.AddrType = statute.ATYPIPv4
		}
	}
	return statute.Request{Version: statute.VersionSocks5, Command: statute.CommandConnect, DstAddr: dst}.Bytes()
}

// socksAnswer returns the fault of a reply (RFC 1928, section 6); nil: it is a success.
func socksAnswer(parent *rules.Parent, code byte) error {
	texts := map[byte]string{
		statute.RepServerFailure: "general failure", statute.RepRuleFailure: "not allowed by its rules", statute.RepNetworkUnreachable: "network unreachable",
		statute.RepHostUnreachable: "host unreachable", statute.RepConnectionRefused: "connection refused", statute.RepTTLExpired: "TTL expired",
		statute.RepCommandNotSupported: "command not supported", statute.RepAddrTypeNotSupported: "address type not supported",
	}
	if code == statute.RepSuccess {
		return nil
	}
	text := texts[code]
	if text == "" {
		return errNoSOCKS
	}
	e := &parentError{parent: parent, cause: rules.ParentRefused, socks: fmt.Sprintf("reply %02d, %s", code, text)}
	switch code {
	case statute.RepRuleFailure, statute.RepCommandNotSupported:
	case statute.RepTTLExpired:
		e.cause, e.elsewhere = rules.ParentTimedOut, true
	default:
		e.elsewhere = true
	}
	return e
}
