// Sink: a receiver outside to which sallyport sends the records of the journal.

package rules

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
)

// The schemes of a sink's url.
const (
	SinkTCP  = "tcp"
	SinkTLS  = "tls"
	SinkUDP  = "udp"
	SinkUnix = "unix"
)

// A Sink is one [[sink]] of the configuration. Only sallyport connects to it; it is never a
// destination of a client.
type Sink struct {
	Name     string
	Type     string    // "syslog"
	Scheme   string    // SinkTCP, SinkTLS, SinkUDP or SinkUnix
	At       Authority // where it listens; zero for SinkUnix
	Path     string    // of SinkUnix: the socket
	Format   string    // "native"
	All      bool      // permitted flows too, not only the journal of denials
	Facility int       // of syslog
	Line     int

	Roots       *x509.CertPool   // of SinkTLS; nil: the authorities of this host
	Certificate *tls.Certificate // for SinkTLS; nil: none
	Unread      error            // why a file of the sink could not be read by this user; nil: all were read
}

// URL returns the scheme and the address of the sink.
func (s *Sink) URL() string {
	if s.Scheme == SinkUnix {
		return "unix:" + s.Path
	}
	return s.Scheme + "://" + s.At.String()
}

// String describes the sink in one line.
func (s *Sink) String() string {
	what := "denials"
	if s.All {
		what = "all"
	}
	return fmt.Sprintf("%s (%s, %s, %s, %s)", s.Name, s.Type, s.URL(), s.Format, what)
}

// Same reports whether a sink of a new configuration is served just like s.
func (s *Sink) Same(o *Sink) bool {
	a, b := *s, *o
	a.Line, b.Line = 0, 0
	a.Roots, b.Roots, a.Certificate, b.Certificate = nil, nil, nil, nil
	if a != b || (s.Roots == nil) != (o.Roots == nil) || s.Roots != nil && !s.Roots.Equal(o.Roots) {
		return false
	}
	if s.Certificate == nil || o.Certificate == nil {
		return s.Certificate == o.Certificate
	}
	return slices.EqualFunc(s.Certificate.Certificate, o.Certificate.Certificate, bytes.Equal)
}
