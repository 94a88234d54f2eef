// HTTP: the row of plain requests on kept connections, and its origin.

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"
)

const originHTTP = "127.0.0.1:80"

// page is the response of the origin, 1 KiB.
var page = strings.Repeat("x", 1024)

// serveHTTP is the origin of plain requests.
func serveHTTP(l net.Listener) {
	err := http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) }))
	if !errors.Is(err, net.ErrClosed) {
		log.Print("origin: ", err)
	}
}

// getMany sends n requests over 32 kept connections. Each connection asks for
// one name, like clients that keep one connection to the proxy per host.
func getMany(proxy string, n int) (errs int) {
	conns := make(chan *keptConn, 32)
	for i := range cap(conns) {
		conns <- &keptConn{proxy: proxy, name: names[i%7]}
	}
	errs = parallel(n, cap(conns), func(int) error {
		c := <-conns
		defer func() { conns <- c }()
		return c.get()
	})
	close(conns)
	for c := range conns {
		c.close()
	}
	return errs
}

// A keptConn is one connection to a proxy, for one host.
type keptConn struct {
	proxy, name string
	conn        net.Conn
	r           *bufio.Reader
}

func (c *keptConn) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// get requests a page. It opens a new connection if the last request failed.
func (c *keptConn) get() (err error) {
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.proxy); err != nil {
			return err
		}
		c.r = bufio.NewReader(c.conn)
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	c.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := fmt.Fprintf(c.conn, "GET http://%s/ HTTP/1.1\r\nHost: %[1]s\r\n\r\n", c.name); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || len(body) != len(page)) {
		err = fmt.Errorf("%s, %d octets", resp.Status, len(body))
	}
	return err
}
