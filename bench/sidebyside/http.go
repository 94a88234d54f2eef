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

// getMany sends n requests over c kept connections. If all is set, each connection asks for every
// name in turn, like an agent that keeps one connection to its proxy. Else each connection asks for
// one name, like a browser that keeps one connection to the proxy for each host.
func getMany(proxy string, n, c int, all bool) (errs int) {
	conns := make(chan *keptConn, c)
	for i := range cap(conns) {
		conns <- &keptConn{proxy: proxy, at: i % 7, all: all}
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

// A keptConn is one connection to a proxy.
type keptConn struct {
	proxy string
	at    int  // the name that it asks for next
	all   bool // it asks for another name each time
	conn  net.Conn
	r     *bufio.Reader
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
	name := names[c.at]
	if c.all {
		c.at = (c.at + 1) % len(names)
	}
	if _, err := fmt.Fprintf(c.conn, "GET http://%s/ HTTP/1.1\r\nHost: %[1]s\r\n\r\n", name); err != nil {
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
