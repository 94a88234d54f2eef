// Helpers for plain HTTP: a client's connection, and origins that answer.

package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// answering returns an origin that reads requests with their bodies, and answers each with
// text.
func answering(text string) func(*net.TCPConn, io.Reader) {
	return func(conn *net.TCPConn, recorded io.Reader) {
		r := bufio.NewReader(recorded)
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			io.WriteString(conn, text)
		}
	}
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// An exchange is one client connection to the proxy.
type exchange struct {
	w    *world
	conn *net.TCPConn
	r    *bufio.Reader

	interims []*http.Response // received before the answers
}

func (w *world) exchange(text string) *exchange {
	w.t.Helper()
	e := w.exchangeOn(w.dial(w.http))
	e.send(text)
	return e
}

// exchangeOn is an exchange on an open connection.
func (w *world) exchangeOn(conn *net.TCPConn) *exchange {
	return &exchange{w: w, conn: conn, r: bufio.NewReader(conn)}
}

func (e *exchange) send(text string) {
	e.w.t.Helper()
	if _, err := io.WriteString(e.conn, text); err != nil {
		e.w.t.Fatal(err)
	}
}

// answer reads the final response to a request with the method.
func (e *exchange) answer(method string) (*http.Response, string) {
	e.w.t.Helper()
	resp, err := http.ReadResponse(e.r, &http.Request{Method: method})
	if err != nil {
		e.w.t.Fatal(err)
	}
	if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
		e.interims = append(e.interims, resp)
		return e.answer(method)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		body = append(body, " (broken off)"...)
	}
	return resp, string(body)
}

// want reads one response and checks its status and X-Sallyport-Reason.
func (e *exchange) want(status int, reason string) (*http.Response, string) {
	e.w.t.Helper()
	resp, body := e.answer("GET")
	if resp.StatusCode != status || resp.Header.Get("X-Sallyport-Reason") != reason {
		e.w.t.Errorf("%d %q %q, want %d %q", resp.StatusCode, resp.Header.Get("X-Sallyport-Reason"), body, status, reason)
	}
	return resp, body
}

// wantEnd checks that the proxy sends nothing more and closes.
func (e *exchange) wantEnd() {
	e.w.t.Helper()
	if rest, err := io.ReadAll(e.r); len(rest) > 0 || err != nil {
		e.w.t.Errorf("%q, %v after the last answer", rest, err)
	}
}

// connections returns how many connections an origin had.
func (o *origin) connections() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}
