// HTTP: sends one request for /. The request changes nothing on the server.

package preflight

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"sallyport/rules"
)

// maxHead limits how many bytes of an answer are read.
const maxHead = 64 << 10

// http sends HEAD. If the server does not answer that, it sends GET.
func (s *step) http(ctx context.Context, conn net.Conn, a rules.Attempt) {
	err := s.request(http.MethodHead, conn, a)
	if ended(err) {
		var again net.Conn
		if again, a, err = s.connect(ctx); err != nil {
			return
		}
		err = s.request(http.MethodGet, again, a)
	}
	if err != nil && !errors.Is(err, errDenied) {
		s.fail(httpProblem(err))
	}
}

// errDenied stops a request that was not permitted. The step has recorded why.
var errDenied = errors.New("denied")

// request sends one request and records the answer.
func (s *step) request(method string, conn net.Conn, a rules.Attempt) error {
	show := func(a *rules.Attempt) {
		a.Shown, a.Host, a.HostPort = rules.ShownHTTP, s.t.name, s.t.port
		if s.t.name.IsZero() {
			a.HostAddr = s.addr
		}
	}
	if !s.permitted(a, show) {
		return errDenied
	}
	host := hostForm(s.t.host())
	if s.t.port != 80 {
		host = net.JoinHostPort(s.t.host(), fmt.Sprint(s.t.port))
	}
	began := s.r.cfg.Now()
	_ = conn.SetDeadline(time.Now().Add(s.r.cfg.Timeout))
	head := method + " / HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: " + s.r.cfg.Agent + "\r\nAccept: */*\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(conn, head); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxHead)), &http.Request{Method: method})
	if err != nil {
		return err
	}
	answer.Body.Close()
	s.out.HTTP = &HTTP{
		OK: true, DurationMS: millis(s.r.cfg.Now().Sub(began)), Status: answer.StatusCode,
		Server: answer.Header.Get("Server"), Location: answer.Header.Get("Location"),
	}
	if c := answer.StatusCode; c == http.StatusProxyAuthRequired || c == http.StatusNetworkAuthenticationRequired {
		s.out.HTTP.OK = false
		s.fail(HTTPPortal, "HTTP "+answer.Status)
	}
	return nil
}

// httpProblem returns the problem that prevented an answer.
func httpProblem(err error) (Problem, string) {
	switch {
	case timedOut(err):
		return HTTPTimedOut, "no answer to HEAD / in time"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return HTTPReset, "reset after the request"
	case ended(err):
		return HTTPClosed, "closed after the request"
	}
	return NotHTTP, strings.TrimPrefix(err.Error(), "net/http: ")
}

// ended reports whether the other side closed the connection.
func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
