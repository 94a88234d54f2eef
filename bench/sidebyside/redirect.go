// Redirect: clients without a proxy setting, and the relay that is compared with redirected
// connections.

package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// mark marks the clients' connections. The packet filter must not redirect the
// peers' own connections.
const mark = 0x77

// redirect makes marked connections for the origin's ports go to the redirect
// target.
func redirect() error {
	_, port, _ := net.SplitHostPort(redirAddr)
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("table ip bench { chain o { type nat hook output priority -100; meta mark %#x tcp dport { 443, 8444 } redirect to :%s; }; }", mark, port))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, out)
	}
	return nil
}

// can reports whether a peer can be reached by k.
func (p *peer) can(k kind) bool {
	switch k {
	case byDNS:
		return p.dns != ""
	case byRedirect:
		return p.redirected
	case byAssociation:
		return p.name == "sallyport" || p.name == "bare-udp"
	case byHTTP:
		return p.proxy != "" && !p.redirected && p.name != "bare-relay" && p.name != "bare-udp" && p.name != "sallyport-parent" // the bare relays support only CONNECT
	}
	return p.proxy != "" && !p.redirected && p.name != "bare-udp"
}

func dialMarked(addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_MARK, mark)
		}), err)
	}}
	c, err := d.DialContext(context.Background(), "tcp", addr)
	if err == nil {
		c.SetDeadline(time.Now().Add(30 * time.Second))
	}
	return c, err
}

func redirectedOnce(name string) error {
	c, err := dialMarked(originTLS)
	if err != nil {
		return err
	}
	defer c.Close()
	return requestOver(c, name)
}

// redirectedDenied returns an error unless the handshake is refused.
func redirectedDenied(name string) error {
	c, err := dialMarked(originTLS)
	if err != nil {
		return err
	}
	defer c.Close()
	if requestOver(c, name) == nil {
		return errors.New("not denied")
	}
	return nil
}

func redirectedBulk(hello []byte) error {
	c, err := dialMarked(originBulk)
	if err != nil {
		return err
	}
	defer c.Close()
	return readBulk(c, c, hello)
}

// requestOver makes a handshake and a request.
func requestOver(c net.Conn, name string) error {
	t := tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if _, err := t.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		return err
	}
	_, err := io.ReadFull(t, make([]byte, 2))
	return err
}

// bareRedirect searches for a permitted name in the first bytes and copies with
// io.Copy to the original port. It has no policy, no parser and no journal.
func bareRedirect(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	serve(l, func(c net.Conn) {
		defer c.Close()
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if err != nil || !strings.Contains(string(buf[:n]), ".allowed.test") {
			return
		}
		up, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", originalPort(c.(*net.TCPConn))))
		if err != nil {
			return
		}
		defer up.Close()
		up.Write(buf[:n])
		go func() { io.Copy(up, c); up.(*net.TCPConn).CloseWrite() }()
		io.Copy(c, up)
	})
	return nil
}

// originalPort returns a redirected connection's original port, as the kernel
// reports it.
func originalPort(c *net.TCPConn) (port uint16) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) {
		const originalDst = 80 // SO_ORIGINAL_DST, netfilter_ipv4.h
		if m, err := syscall.GetsockoptIPv6Mreq(int(fd), syscall.IPPROTO_IP, originalDst); err == nil {
			port = binary.BigEndian.Uint16(m.Multiaddr[2:])
		}
	})
	return port
}
