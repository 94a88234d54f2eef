// Upstream HTTPS: asks by DNS over HTTPS (RFC 8484).

package dnsfilter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// mediaType is the type of DNS messages (RFC 8484, section 6).
const mediaType = "application/dns-message"

// The times of a connection of HTTP/2. A ping finds out that a device on the way forgot the
// connection, early enough for a second try.
const (
	pingAfter = 700 * time.Millisecond
	pingWait  = 900 * time.Millisecond
)

// doh is the client of one upstream. Its zero value has no connection.
type doh struct {
	once   sync.Once
	client *http.Client
	url    string
}

// roundTripHTTPS asks by POST. It follows no redirect and uses no proxy. net/http asks
// once again over a new connection if an idle one failed.
func (f *Filter) roundTripHTTPS(ctx context.Context, u *server, query []byte) (reply, error) {
	u.doh.once.Do(func() { f.setDoH(u) })
	query[0], query[1] = 0, 0 // RFC 8484, section 4.1: the exchange of HTTP says which answer it is
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.doh.url, bytes.NewReader(query))
	if err != nil {
		return reply{}, errors.New("the path of the upstream is no part of a URL")
	}
	req.Header = http.Header{"Accept": {mediaType}, "Content-Type": {mediaType}, "User-Agent": {""}, "Idempotency-Key": nil} // nil: POST may be repeated, and the field is not sent
	res, err := u.doh.client.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) { // its text has the path
			err = of.Err
		}
		if fault := alertOf(err); fault != nil {
			err = fault
		}
		return reply{}, err
	}
	defer res.Body.Close()
	if err := checkResponse(res); err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, dns.MaxMsgSize+1))
	if err != nil {
		return reply{}, err
	}
	if len(body) > dns.MaxMsgSize {
		return reply{}, errors.New("the response is larger than a DNS message can be")
	}
	r, err := readReply(body, query)
	if err == nil {
		subtractAge(r.m, res.Header.Get("Age"))
	}
	return r, err
}

// checkResponse returns an error if a response cannot be an answer.
func checkResponse(res *http.Response) error {
	switch code := res.StatusCode; {
	case code == http.StatusOK:
	case code/100 == 3:
		return &UpstreamFault{fmt.Sprintf("status %d: the server sends elsewhere", code), "sallyport follows no redirect: ask the operator of the resolver for the right address and path"}
	case code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusUnsupportedMediaType:
		return &UpstreamFault{fmt.Sprintf("status %d: the server serves no DNS over HTTPS at this path", code), "correct the path of the upstream; most resolvers have /dns-query"}
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return &UpstreamFault{fmt.Sprintf("status %d: the server refuses this host", code), "ask the operator of the resolver to permit it"}
	default:
		return fmt.Errorf("status %d", code)
	}
	if t, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || t != mediaType {
		return &UpstreamFault{fmt.Sprintf("the response is no DNS message, but %.60q", res.Header.Get("Content-Type")), "correct the path of the upstream; most resolvers have /dns-query"}
	}
	return nil
}

// subtractAge subtracts the time that an answer was in a cache of HTTP (RFC 8484, section
// 5.1).
func subtractAge(m *dns.Msg, age string) {
	n, err := strconv.ParseUint(age, 10, 32)
	if err != nil {
		return
	}
	for _, section := range [...][]dns.RR{m.Answer, m.Ns} {
		for _, rr := range section {
			h := rr.Header()
			h.Ttl -= min(h.Ttl, uint32(n))
		}
	}
}

// setDoH makes the client of an upstream.
func (f *Filter) setDoH(u *server) {
	host := u.Name
	if host == "" {
		host = u.Addr.Addr().WithZone("").String()
	}
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	if u.Addr.Port() != 443 {
		host += ":" + strconv.Itoa(int(u.Addr.Port()))
	}
	u.doh.url = "https://" + host + u.Path
	config := u.tlsConfig(f.cfg.Now)
	config.NextProtos = []string{"h2", "http/1.1"}
	u.doh.client = &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:             nil,
			DialTLSContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return f.handshake(ctx, u, config) },
			ForceAttemptHTTP2: true,
			HTTP2:             &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingWait, WriteByteTimeout: streamWrite},
			IdleConnTimeout:   streamIdle, MaxConnsPerHost: 2 * maxStreams, MaxIdleConnsPerHost: maxStreams,
			MaxResponseHeaderBytes: 16 << 10, DisableCompression: true,
		},
	}
}
