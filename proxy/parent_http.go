// Parent, HTTP: asks an HTTP proxy for a tunnel by CONNECT (RFC 9110, section 9.3.6), and reads
// its answer strictly.

package proxy

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"sallyport/rules"
)

// Limits of a parent's answer.
const (
	maxParentHead = 16 << 10
	maxParentFore = 8 // interim responses before the final one
)

// basic returns the value of Proxy-Authorization (RFC 7617); "" for a parent without a login.
func basic(p *rules.Parent) string {
	if p.Login == (rules.Login{}) {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(p.Login.User+":"+p.Login.Password))
}

// askHTTP asks for a tunnel. No byte after the answer's head is read: it belongs to the tunnel.
func askHTTP(l link, target rules.Authority, pseudonym string) error {
	to := target.String()
	head := "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\nVia: 1.1 " + pseudonym + "\r\n"
	if login := basic(l.parent); login != "" {
		head += "Proxy-Authorization: " + login + "\r\n"
	}
	if _, err := io.WriteString(l.conn(), head+"\r\n"); err != nil {
		return askFailed(l, err)
	}
	read, err := headReader(l)
	if err != nil {
		return askFailed(l, err)
	}
	status, err := finalStatus(read)
	switch {
	case err != nil:
		return askFailed(l, err)
	case status >= 300:
		return refusedWith(l.parent, status)
	}
	return nil
}

// finalStatus reads heads up to the one that is not interim, and returns its status. A status of
// success has no body (RFC 9110, section 9.3.6), whatever its fields say.
func finalStatus(read headRead) (int, error) {
	for i := range maxParentFore {
		head, err := readParentHead(read)
		switch {
		case err != nil && i+len(head) > 0 && !errors.Is(err, errNoHead):
			return 0, &cutError{err}
		case err != nil:
			return 0, err
		}
		status, ok := statusOfHead(head)
		if !ok || status < 100 || status == 101 {
			return 0, errNoHead
		}
		if status >= 200 {
			return status, nil
		}
	}
	return 0, errNoHead
}

// errNoHead means that an answer is not the head of an HTTP response.
var errNoHead = errors.New("the answer is not a well-formed HTTP response")

// A cutError is the end of a connection within an answer.
type cutError struct{ error }

// Unwrap returns the error of the connection.
func (e *cutError) Unwrap() error { return e.error }

// askFailed returns the fault of a parent that gave no answer, or not one of its protocol.
func askFailed(l link, err error) *parentError {
	e := &parentError{parent: l.parent, cause: rules.ParentReply, err: err}
	var remote *net.OpError
	var cut *cutError
	within := errors.As(err, &cut)
	switch {
	case errors.As(err, &remote) && remote.Op == "remote error": // an alert: with TLS 1.3 a refused client certificate shows here
		e.cause, e.broken, e.certificate = rules.ParentTLS, true, l.asked && !within
	case timedOut(err):
		e.cause = rules.ParentTimedOut
	case within:
		e.err = errors.New("the parent ended the connection within its answer")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return endedUnheard(l)
	}
	return e
}

// endedUnheard returns the fault of a parent that ended the connection before it answered. A parent
// that refuses a client certificate often resets the connection, and then its alert is lost.
func endedUnheard(l link) *parentError {
	e := &parentError{parent: l.parent, cause: rules.ParentReply, err: errors.New("the parent ended the connection before it answered")}
	if l.asked {
		e.cause, e.broken, e.certificate = rules.ParentTLS, true, true
		e.err = errors.New("the parent asked for a client certificate, and ended the connection before it answered")
	}
	return e
}

// refusedWith returns the fault of an answer that is no success.
func refusedWith(parent *rules.Parent, status int) *parentError {
	e := &parentError{parent: parent, cause: rules.ParentRefused, status: status}
	switch status {
	case 407, 401:
		e.cause = rules.ParentAuth
	case 504, 408:
		e.cause, e.elsewhere = rules.ParentTimedOut, true
	case 500, 502, 503:
		e.elsewhere = true
	}
	return e
}

// A headRead appends what has arrived, waits until something has, and takes no byte after the end
// of a head.
type headRead func(soFar []byte) ([]byte, error)

// readParentHead reads one head with its empty line. What cannot be a head is refused at the byte
// that shows it.
func readParentHead(read headRead) ([]byte, error) {
	var b []byte
	for {
		var err error
		if b, err = read(b); err != nil {
			return b, err
		}
		const begin = "HTTP/1."
		n := min(len(b), len(begin))
		if string(b[:n]) != begin[:n] {
			return nil, errNoHead
		}
		if bytes.HasSuffix(b, []byte("\r\n\r\n")) {
			return b, nil
		}
		if len(b) >= maxParentHead {
			return nil, errNoHead
		}
	}
}

// statusOfHead returns the status of a well-formed response head.
func statusOfHead(head []byte) (status int, ok bool) {
	lines := bytes.Split(bytes.TrimSuffix(head, []byte("\r\n\r\n")), []byte("\r\n"))
	first := lines[0]
	const fixed = len("HTTP/1.1 200")
	if len(first) < fixed || first[7] != '0' && first[7] != '1' || first[8] != ' ' || len(first) > fixed && first[fixed] != ' ' {
		return 0, false
	}
	for _, c := range first[9:fixed] {
		if c < '0' || c > '9' {
			return 0, false
		}
		status = 10*status + int(c-'0')
	}
	for _, line := range lines {
		if bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return 0, false
		}
	}
	for _, line := range lines[1:] {
		name, _, colon := bytes.Cut(line, []byte(":"))
		if !colon || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			return 0, false
		}
	}
	return status, true
}

// headReader returns how a link is read without a byte beyond a head.
func headReader(l link) (headRead, error) {
	if l.tls != nil {
		return byteByByte(l.tls), nil
	}
	return peeked(l.tcp)
}

// byteByByte reads one byte at a time. The TLS layer holds the record, so this costs no system
// call.
func byteByByte(c *tls.Conn) headRead {
	return func(b []byte) ([]byte, error) {
		var one [1]byte
		if _, err := io.ReadFull(c, one[:]); err != nil {
			return b, err
		}
		return append(b, one[0]), nil
	}
}

// peeked looks at what has arrived (MSG_PEEK), and takes it up to the end of a head only.
func peeked(c *net.TCPConn) (headRead, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 2048)
	return func(b []byte) ([]byte, error) {
		var n int
		var fail error
		recv := func(fd uintptr, size, flags int) bool {
			for {
				n, _, fail = unix.Recvfrom(int(fd), buf[:size], flags)
				if fail != unix.EINTR {
					return fail != unix.EAGAIN
				}
			}
		}
		room := min(len(buf), maxParentHead-len(b))
		if err := raw.Read(func(fd uintptr) bool { return recv(fd, room, unix.MSG_PEEK) }); err != nil {
			return b, err
		}
		switch {
		case fail != nil:
			return b, fail
		case n == 0:
			return b, io.ErrUnexpectedEOF
		}
		before := len(b)
		b = append(b, buf[:n]...)
		from := max(0, before-3) // the end can begin in what was read before
		if end := bytes.Index(b[from:], []byte("\r\n\r\n")); end >= 0 {
			b = b[:from+end+4]
		}
		take := len(b) - before
		if err := raw.Read(func(fd uintptr) bool { return recv(fd, take, 0) }); err != nil {
			return b, err
		}
		if fail != nil || n != take {
			return b, errors.Join(fail, io.ErrUnexpectedEOF)
		}
		return b, nil
	}, nil
}
