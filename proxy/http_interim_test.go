// Tests of interim responses and of 100 Continue (RFC 9110, sections 10.1.1 and 15.2).

package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// Interim responses reach a client of HTTP/1.1 in order, each when it comes, and never a client
// of HTTP/1.0 (RFC 9110, section 15.2).
func TestInterimResponses(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"HTTP/1.1", "HTTP/1.0"} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t, nil)
			next := newScript(t)
			w.origin("8.8.8.8:80", next.serve)
			e := w.exchange("GET http://a.example/ " + version + "\r\nHost: a.example\r\n\r\n")
			for _, text := range []string{"102 Processing\r\n", "100 Continue\r\n", "103 Early Hints\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Sallyport-Reason: x\r\nContent-Length: 5\r\nLink: </a>; rel=preload\r\n", "199 Odd\r\n"} {
				next.say(t, "HTTP/1.1 "+text+"\r\n")
				if version == "HTTP/1.1" {
					e.until("HTTP/1.1 " + text[:4])
					e.until("\r\n\r\n")
				}
			}
			next.say(t, "HTTP/1.1 103 Early Hints\r\nX-Hop: 1\r\nConnection: X-Hop\r\nX-Sallyport-Reason: x\r\nContent-Length: 5\r\nLink: </a>; rel=preload\r\n\r\n"+okAnswer)
			resp, body := e.want(200, "")
			if body != "ok" || resp.Header.Get("Link") != "" {
				t.Errorf("%q %v", body, resp.Header)
			}
			if version == "HTTP/1.0" {
				if len(e.interims) != 0 {
					t.Errorf("%d interim responses", len(e.interims))
				}
			} else if len(e.interims) != 1 || e.interims[0].Header.Get("Link") == "" || e.interims[0].Header.Get("X-Hop") != "" || e.interims[0].Header.Get("X-Sallyport-Reason") != "" {
				t.Errorf("%+v", e.interims)
			}
			w.wantOne(rules.Allow, rules.ReasonNone)
		})
	}
}

// The destination decides about 100 Continue: the client gets it when the destination sends it,
// and then the body follows. A client of HTTP/1.0 expects nothing (RFC 9110, section 10.1.1).
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	o := w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
		br := bufio.NewReader(r)
		req, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		arrived <- struct{}{}
		if req.Header.Get("Expect") != "" {
			<-release
			io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n")
		}
		io.Copy(io.Discard, req.Body)
		io.WriteString(conn, okAnswer)
	})
	post := "POST http://a.example/ %s\r\nHost: a.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
	e := w.exchange(fmt.Sprintf(post, "HTTP/1.1"))
	<-arrived
	e.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if b, err := e.r.ReadByte(); !os.IsTimeout(err) {
		t.Fatalf("%q, %v before the destination said anything", b, err)
	}
	e.conn.SetReadDeadline(time.Time{})
	close(release)
	e.until("HTTP/1.1 100 Continue\r\n\r\n")
	e.send("hello")
	e.want(200, "")
	if len(e.interims) != 1 || e.interims[0].StatusCode != 103 {
		t.Errorf("%+v", e.interims)
	}
	e = w.exchange(fmt.Sprintf(post, "HTTP/1.0") + "hello")
	e.want(200, "")
	if got := o.received(); strings.Count(got, "Expect:") != 1 || strings.Count(got, "hello") != 2 {
		t.Errorf("arrived %q", got)
	}
}

// Interim responses without an end, of any kind and for any client, end the request.
func TestInterimResponsesAreBounded(t *testing.T) {
	t.Parallel()
	for _, interim := range []string{"HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 102 Processing\r\nX: " + strings.Repeat("x", 1000) + "\r\n\r\n"} {
		for _, request := range []string{
			"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET http://a.example/ HTTP/1.0\r\n\r\n", getWS,
			"POST http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
		} {
			w := newWorld(t, nil)
			ended := make(chan struct{})
			w.origin("8.8.8.8:80", func(conn *net.TCPConn, r io.Reader) {
				defer close(ended)
				http.ReadRequest(bufio.NewReader(r))
				for {
					if _, err := io.WriteString(conn, interim); err != nil {
						return
					}
				}
			})
			e := w.exchange(request)
			if resp, _ := e.want(502, ""); !strings.Contains(resp.Header.Get("X-Sallyport-Hint"), "interim responses") || len(e.interims) > maxInterims || strings.Contains(request, "1.0") && len(e.interims) > 0 {
				t.Errorf("%q: %v after %d interim responses", request, resp.Header, len(e.interims))
			}
			wait(t, "end of the destination's connection", ended)
			if end := w.wantClosed(); end.Cause != rules.EndNoAnswer {
				t.Errorf("cause %q", end.Cause)
			}
		}
	}
}
