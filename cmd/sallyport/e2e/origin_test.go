//go:build linux

// Origin: every server of the internet in one. It answers on every address and on
// the real ports. The first byte decides between TLS and plain HTTP. The body
// contains the address and port that the client reached.

package e2e

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// originPorts are the ports of all documented destinations, and some that no
// document lists. So a leak to such a port is answered too.
var originPorts = []int{
	22, 80, 139, 443, 445, 514, 1433, 2638, 2967, 4430, 4431, 4460, 4488, 5000, 6514, 7443, 8014, 8081, 8082, 8083,
	8443, 8444, 8445, 8446, 9090, 9998, 22345, 54120,
	25, 853, 1100, 1775, 2968, 4443, 8080, 8447, 8765, 8888,
}

// banner is the text that a silent client gets on port 22, where servers speak
// first.
const banner = "SSH-2.0-origin\r\n"

// origin serves files below dir, and the page with the address and port that the
// client reached.
type origin struct {
	http  http.Server
	tls   *tls.Config
	ready chan net.Conn
	done  chan struct{}
	work  sync.WaitGroup
	dir   http.Handler
}

// startOrigin listens on every port of every address of n.
func startOrigin(t *testing.T, n *netns, ca *authority, dir string) {
	t.Helper()
	o := &origin{
		tls:   &tls.Config{GetCertificate: ca.forHello, NextProtos: []string{"http/1.1"}},
		ready: make(chan net.Conn), done: make(chan struct{}),
		dir: http.FileServer(http.Dir(dir)),
	}
	o.http = http.Server{Handler: o, ReadHeaderTimeout: 10 * time.Second, ErrorLog: nil}
	var listeners []net.Listener
	for _, port := range originPorts {
		l, err := n.listen(fmt.Sprintf("[::]:%d", port))
		if err != nil {
			t.Fatalf("origin: %v", err)
		}
		listeners = append(listeners, l)
		serveEach(l, &o.work, o.sort)
	}
	o.work.Go(func() { _ = o.http.Serve(o) })
	t.Cleanup(func() {
		for _, l := range listeners {
			l.Close()
		}
		close(o.done)
		o.http.Close()
		o.work.Wait()
	})
}

// sort finds out the client's protocol and hands the connection on.
func (o *origin) sort(c net.Conn) {
	p := &peeked{Conn: c, r: bufio.NewReader(c)}
	if c.LocalAddr().(*net.TCPAddr).Port == 22 {
		_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	} else {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	}
	first, err := p.r.Peek(1)
	_ = c.SetReadDeadline(time.Time{})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		_, _ = c.Write([]byte(banner))
		c.Close()
		return
	case err != nil:
		c.Close()
		return
	case first[0] == 0x16:
		c = tls.Server(p, o.tls)
	default:
		c = p
	}
	select {
	case o.ready <- c:
	case <-o.done:
		c.Close()
	}
}

// peeked is a connection whose first bytes were already read, and are read again.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// Accept, Close and Addr make the origin the listener of its own HTTP server.
func (o *origin) Accept() (net.Conn, error) {
	select {
	case c := <-o.ready:
		return c, nil
	case <-o.done:
		return nil, net.ErrClosed
	}
}

func (o *origin) Close() error   { return nil }
func (o *origin) Addr() net.Addr { return &net.TCPAddr{} }

// registry answers like a registry of container images that has one image without
// layers.
func registry(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	const config = `{}`
	const manifest = `{"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": [],
"config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2,
"digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}}
`
	if strings.Contains(r.URL.Path, "/blobs/") {
		_, _ = io.WriteString(w, config)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
	_, _ = io.WriteString(w, manifest)
}

// ServeHTTP answers "origin ADDRESS PORT tls=BOOL host=HOST", or a file.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/apt/") || strings.HasPrefix(r.URL.Path, "/git/") {
		o.dir.ServeHTTP(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/v2/") {
		registry(w, r)
		return
	}
	local := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr).AddrPort()
	fmt.Fprintf(w, "origin %s %d tls=%t host=%s\n", local.Addr().Unmap(), local.Port(), r.TLS != nil, r.Host)
}
