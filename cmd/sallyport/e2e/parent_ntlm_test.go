//go:build linux

// Parent, NTLM: a proxy that accepts NTLM alone, and cntlm in front of it, which logs in for
// sallyport.

package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// ntlmAt is the place of the stand-in, behind cntlm.
const ntlmAt = resolver4 + ":8119"

const cntlmParent = `
Username sally
Domain   corp
Password hunter2
Auth     NTLM
Proxy    ` + ntlmAt + `
Listen   ` + parentAt + `
`

// An ntlmProxy is a proxy that connects for clients that log in as sally, by NTLM (MS-NLMP): it
// checks the user in the third message, and not the response to its challenge.
type ntlmProxy struct {
	l   *lab
	all sync.WaitGroup

	mu     sync.Mutex
	logins int
	asked  []string
}

// start serves until the test ends.
func (p *ntlmProxy) start(t *testing.T) {
	t.Helper()
	listener, err := p.l.internet.listen(ntlmAt)
	if err != nil {
		t.Fatal(err)
	}
	serveEach(listener, &p.all, p.serve)
	t.Cleanup(func() { listener.Close() })
}

// serve serves one connection: NTLM logs in a connection, not a request.
func (p *ntlmProxy) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	known := false
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		message := ntlmMessage(req)
		switch {
		case !known && ntlmKind(message) == 3 && ntlmUser(message) == "sally":
			known = true
			p.mu.Lock()
			p.logins++
			p.mu.Unlock()
		case !known && ntlmKind(message) == 1:
			_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM "+base64.StdEncoding.EncodeToString(ntlmChallenge())+"\r\nContent-Length: 0\r\nProxy-Connection: keep-alive\r\n\r\n")
			continue
		case !known:
			_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\nContent-Length: 0\r\nProxy-Connection: keep-alive\r\n\r\n")
			continue
		}
		if !p.answer(c, r, req) {
			return
		}
	}
}

// answer serves a request of a client that is logged in. It reports whether more requests may
// follow.
func (p *ntlmProxy) answer(c net.Conn, r *bufio.Reader, req *http.Request) bool {
	p.mu.Lock()
	p.asked = append(p.asked, req.Method+" "+req.RequestURI)
	p.mu.Unlock()
	if req.Method != http.MethodConnect {
		body := "by NTLM: " + req.RequestURI + "\n"
		_, err := fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		return err == nil
	}
	up, err := p.l.internet.dial("tcp", "", req.RequestURI)
	if err != nil {
		_, _ = io.WriteString(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		return true
	}
	defer up.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(up, r); _ = up.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(c, up)
	return false
}

// ntlmMessage returns the client's NTLM message; nil if there is none.
func ntlmMessage(req *http.Request) []byte {
	text, ok := strings.CutPrefix(req.Header.Get("Proxy-Authorization"), "NTLM ")
	if !ok {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !strings.HasPrefix(string(b), "NTLMSSP\x00") {
		return nil
	}
	return b
}

// ntlmKind returns the number of a message; 0 if there is none.
func ntlmKind(b []byte) uint32 {
	if len(b) < 12 {
		return 0
	}
	return binary.LittleEndian.Uint32(b[8:])
}

// ntlmUser returns the user of a third message (MS-NLMP, section 2.2.1.3), in lower case.
func ntlmUser(b []byte) string {
	if len(b) < 44 {
		return ""
	}
	n, at := int(binary.LittleEndian.Uint16(b[36:])), int(binary.LittleEndian.Uint32(b[40:]))
	if at+n > len(b) {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(string(b[at:at+n]), "\x00", ""))
}

// ntlmChallenge returns a second message (MS-NLMP, section 2.2.1.2) with the name CORP.
func ntlmChallenge() []byte {
	const name = "CORP"
	b := []byte("NTLMSSP\x00\x02\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = binary.LittleEndian.AppendUint32(b, 48)
	b = binary.LittleEndian.AppendUint32(b, 0x8206) // OEM, request target, NTLM, always sign
	b = append(b, "12345678"...)
	b = append(b, make([]byte, 16)...) // reserved, and no target information
	return append(b, name...)
}

func TestParentNTLM(t *testing.T) {
	need(t, "cntlm", "curl", "openssl")
	l := newLab(t)
	p := &ntlmProxy{l: l}
	p.start(t)
	l.startParent(t, cntlmParent, "cntlm", "-f", "-c")
	g := l.behindParent(t, login, withParent("url = \"http://"+parentAt+"\"\n", systemResolver))
	mark := l.rec.mark(t)
	if r := l.curl(t, named("es-manager"), "-x", viaHTTP, "https://license.sangfor.com/"); r.code != 0 || !strings.Contains(r.stdout, "tls=true host=license.sangfor.com") {
		t.Error(r)
	}
	if r := l.curl(t, named("es-manager"), "-x", viaHTTP, "http://upd.sangfor.com/x"); r.code != 0 || r.stdout != "by NTLM: http://upd.sangfor.com/x\n" {
		t.Error(r)
	}
	l.onlyToParent(t, mark, true)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.logins == 0 || len(p.asked) != 2 || !strings.HasPrefix(p.asked[0], "CONNECT 93.184.") {
		t.Errorf("%d logins, asked for %q", p.logins, p.asked)
	}
	eventually(t, longestWait, "the records of two flows", func() error {
		if flows := g.flows(t); strings.Count(flows, `"event":"close"`) < 2 || strings.Count(flows, `"parent":"corporate"`) < 2 {
			return errorf("%s", flows)
		}
		return nil
	})
}
