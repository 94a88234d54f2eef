// Tests of the transports: TLS with a client's certificate, datagrams, and Unix sockets.

package sink

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
)

// localhost returns a certificate for 127.0.0.1, and the authority that has signed it.
func localhost() (tls.Certificate, *x509.CertPool) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.TLS.Certificates[0], roots
}

// Over TLS the receiver proves who it is before a record is sent, and gets our certificate.
func TestTLS(t *testing.T) {
	certificate, roots := localhost()
	for _, c := range []struct {
		what    string
		roots   *x509.CertPool
		mine    *tls.Certificate
		problem string
	}{
		{"with a certificate of ours", roots, &certificate, ""},
		{"without one", roots, nil, "certificate required"},
		{"an authority that we do not trust", x509.NewCertPool(), &certificate, "certificate signed by unknown authority"},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go w.receive(conn)
				}
			}()
			at, err := rules.ParseAuthority(l.Addr().String(), 0)
			if err != nil {
				t.Fatal(err)
			}
			w.write(20)
			cfg := w.config()
			cfg.Sink = &rules.Sink{Name: "siem", Type: "syslog", Scheme: rules.SinkTLS, At: at, Roots: c.roots, Certificate: c.mine}
			cfg.Dial = func(ctx context.Context, s *rules.Sink) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", s.At.String())
			}
			s, stop := w.start(cfg)
			defer stop()
			if c.problem == "" {
				eventually(t, "each record", w.whole)
				eventually(t, "they count as delivered", func() bool { return s.State().Delivered == 20 })
				return
			}
			eventually(t, "the problem", func() bool { return strings.Contains(s.State().Problem, c.problem) })
			if got := w.arrived(); len(got) > 0 || s.State().Delivered > 0 {
				t.Errorf("%d records arrived, %+v", len(got), s.State())
			}
		})
	}
}

// A datagram is one message, without a length in front.
func TestDatagrams(t *testing.T) {
	for _, network := range []string{"udp", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			address, scheme := "127.0.0.1:0", rules.SinkUDP
			if network == "unixgram" {
				address, scheme = filepath.Join(t.TempDir(), "log"), rules.SinkUnix
			}
			in, err := net.ListenPacket(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			w := newWorld(t)
			w.write(3)
			cfg := w.config()
			cfg.Sink = &rules.Sink{Name: "siem", Type: "syslog", Scheme: scheme, Path: address, Facility: 16}
			cfg.Dial = func(ctx context.Context, _ *rules.Sink) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, in.LocalAddr().String())
			}
			s, stop := w.start(cfg)
			b := make([]byte, 64<<10)
			_ = in.SetReadDeadline(time.Now().Add(30 * time.Second))
			for i, id := range []string{"boot1-1", "boot1-2", "boot1-3"} {
				n, _, err := in.ReadFrom(b)
				if m := string(b[:n]); err != nil || !strings.HasPrefix(m, "<132>1 ") || !strings.Contains(m, `id="`+id+`"`) || strings.Count(m, "evil.example") != 2 {
					t.Errorf("datagram %d: %q, %v", i, m, err)
				}
			}
			eventually(t, "they count as delivered", func() bool { return s.State().Delivered == 3 })
			stop()
		})
	}
}

// A Unix socket for streams gets messages with their length, as TCP does.
func TestUnixStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		size, _ := bufio.NewReader(conn).ReadString(' ')
		first <- size
	}()
	w := newWorld(t)
	w.write(1)
	cfg := w.config()
	cfg.Sink = &rules.Sink{Name: "siem", Type: "syslog", Scheme: rules.SinkUnix, Path: path}
	cfg.Dial = func(ctx context.Context, s *rules.Sink) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.Path)
	}
	w.start(cfg)
	select {
	case size := <-first:
		if strings.Trim(size, "0123456789 ") != "" || size == "" {
			t.Errorf("the stream begins with %q instead of a length", size)
		}
	case <-time.After(30 * time.Second):
		t.Error("nothing arrives")
	}
}
