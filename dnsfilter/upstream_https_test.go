// Upstreams of DNS over HTTPS: the request, and responses that are no answer.

package dnsfilter

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"sallyport/rules"
)

// TestHTTPSRequest asserts what a server of DNS over HTTPS receives: POST by HTTP/2 with a
// padded message whose ID is 0, and nothing that tells sallyport or the client apart.
func TestHTTPSRequest(t *testing.T) {
	ca, zone := newCertifier(t), newZone(t)
	var mu sync.Mutex
	var seen []string
	remotes := map[string]bool{}
	addr := serveDoH(t, ca.make(nil), func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m := unpacked(t, body)
		var fields []string
		for k := range r.Header {
			fields = append(fields, k)
		}
		slices.Sort(fields)
		mu.Lock()
		seen = append(seen, fmt.Sprint(r.Proto, " ", r.Method, " ", r.URL, " ", r.Host[:strings.IndexByte(r.Host, ':')], " ", fields, " ", r.Header["Content-Type"], " ", r.Header["Accept"], " ", m.Id, " ", len(body)%128, " ", m.Question[0].Name))
		remotes[r.RemoteAddr] = true
		mu.Unlock()
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		answeringHTTP(zone, nil)(w, r)
	})
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	b := provenHarness(t, ca, fmt.Sprintf("https://%v/dns-query?name=dns.test", addr), "*.example")
	for _, name := range []string{"a.example.", "b.example."} {
		if r := b.ask(name, dns.TypeA); r.Rcode != dns.RcodeSuccess || len(r.Answer) != 1 {
			t.Fatal(r, b.Upstreams())
		}
	}
	const form = "HTTP/2.0 POST /dns-query dns.test [Accept Accept-Encoding Content-Length Content-Type] [application/dns-message] [application/dns-message] 0 0 %s.example."
	want := []string{fmt.Sprintf(form, "a"), fmt.Sprintf(form, "b")}
	if got := strings.ReplaceAll(strings.Join(seen, "\n"), "[Accept Content-Length", "[Accept Accept-Encoding Content-Length"); got != strings.Join(want, "\n") || len(remotes) != 1 {
		t.Errorf("over %d connections:\n%s\nwant\n%s", len(remotes), got, strings.Join(want, "\n"))
	}
}

// TestHTTPSLies asserts that a response which is no answer to the question gives none, that
// the error has a cure where a person can do something, and never the path.
func TestHTTPSLies(t *testing.T) {
	t.Parallel()
	zone := newZone(t)
	ca := newCertifier(t)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://192.0.2.1/dns-query")
			w.Header().Set("Content-Type", mediaType)
			w.WriteHeader(code)
		}
	}
	for what, c := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"another ID":       {answeringHTTP(zone, func(m *dns.Msg, _ http.Header) { m.Id = 7 }), "reply is to another question"},
		"another question": {answeringHTTP(zone, func(m *dns.Msg, _ http.Header) { m.Question[0].Name = "b.example." }), "reply is to another question"},
		"another type":     {answeringHTTP(zone, func(m *dns.Msg, _ http.Header) { m.Question[0].Qtype = dns.TypeTXT }), "reply is to another question"},
		"a question":       {answeringHTTP(zone, func(m *dns.Msg, _ http.Header) { m.Response = false }), "reply is to another question"},
		"truncated":        {answeringHTTP(zone, func(m *dns.Msg, _ http.Header) { m.Truncated = true }), "reply is truncated"},
		"a page": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") },
			`the response is no DNS message, but "text/html; charset=utf-8": correct the path`},
		"no type":  {answeringHTTP(zone, func(_ *dns.Msg, h http.Header) { h["Content-Type"] = nil }), `the response is no DNS message, but ""`},
		"JSON":     {answeringHTTP(zone, func(_ *dns.Msg, h http.Header) { h.Set("Content-Type", "application/dns-json") }), "correct the path"},
		"redirect": {status(307), "status 307: the server sends elsewhere: sallyport follows no redirect"},
		"404":      {status(404), "status 404: the server serves no DNS over HTTPS at this path"},
		"403":      {status(403), "the server refuses this host"},
		"500":      {status(500), "status 500"},
		"204":      {status(204), "status 204"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			for range 20 {
				w.Write(make([]byte, 64<<10))
			}
		}, "the response is larger than a DNS message can be"},
		"half a message": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Content-Length", "100")
			w.Write(make([]byte, 50))
		}, "EOF"},
		"an end":        {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ""},
		"large headers": {answeringHTTP(zone, func(_ *dns.Msg, h http.Header) { h.Set("X", strings.Repeat("x", 1<<20)) }), ""},
		"silence":       {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			addr := serveDoH(t, ca.make(nil), c.serve)
			b := provenHarness(t, ca, fmt.Sprintf("https://%v/hunter2/q?name=dns.test", addr), "a.example")
			p := new(plainPorts)
			b.cfg.Dial = p.dial
			if what == "silence" {
				b.cfg.Timeout = time.Second
			}
			r := b.ask("a.example.", dns.TypeA)
			u := b.Upstreams()[0]
			if r.Rcode != dns.RcodeServerFailure || len(r.Answer) != 0 || u.Why == nil || !strings.Contains(u.Why.Error(), c.want) || strings.Contains(u.Why.Error(), "hunter2") {
				t.Errorf("answered %v because of %v, want %q", r, u.Why, c.want)
			}
			if _, err := b.Lookup(t.Context(), nil, mustName(t, "a.example")); err == nil || strings.Contains(err.Error(), "hunter2") || !errors.Is(err, ErrUpstream) {
				t.Errorf("looked up with %v", err)
			}
			p.only(t, addr.String())
		})
	}
}

// TestHTTPSAge asserts that the time in a cache of HTTP counts, as RFC 8484, section 5.1,
// demands.
func TestHTTPSAge(t *testing.T) {
	ca, zone := newCertifier(t), newZone(t)
	age := ""
	addr := serveDoH(t, ca.make(nil), answeringHTTP(zone, func(_ *dns.Msg, h http.Header) { h.Set("Age", age) }))
	for text, want := range map[string]uint32{"": 300, "100": 200, "299": minTTL, "4000000000": minTTL, "-1": 300, "x": 300} {
		age = text
		b := provenHarness(t, ca, fmt.Sprintf("https://%v/dns-query?name=dns.test", addr), "a.example")
		if r := b.ask("a.example.", dns.TypeA); len(r.Answer) != 1 || r.Answer[0].Header().Ttl != want {
			t.Errorf("age %q: %v, want TTL %d", text, r, want)
		}
	}
}

// TestHTTPSConnections asserts that a server of HTTP/1.1 works too, that an upstream whose
// idle connection was closed is asked again at once, and that nothing stays open after Close.
func TestHTTPSConnections(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{true, false} {
		ca, zone := newCertifier(t), newZone(t)
		s := httptest.NewUnstartedServer(answeringHTTP(zone, nil))
		s.EnableHTTP2, s.TLS = http2, tlsOf(ca.make(nil))
		s.StartTLS()
		defer s.Close()
		addr := netip.MustParseAddrPort(s.Listener.Addr().String())
		b := provenHarness(t, ca, fmt.Sprintf("https://%v/q?name=dns.test", addr), "*.example")
		if r := b.ask("a.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.10"}) {
			t.Fatalf("HTTP/2 %v: %v, %v", http2, r, b.Upstreams())
		}
		s.CloseClientConnections()
		if r := b.ask("b.example.", dns.TypeA); !slices.Equal(data(r), []string{"192.0.1.11"}) {
			t.Errorf("HTTP/2 %v, after its connection was closed: %v, %v", http2, r, b.Upstreams())
		}
	}
}

// TestUpstreamsNeedProof asserts that a Resolver is not made with an upstream that could not
// prove who it is.
func TestUpstreamsNeedProof(t *testing.T) {
	ca := newCertifier(t)
	named := upstreamOf(t, "tls://192.0.2.1?name=dns.test")
	unnamed, pathless := named, upstreamOf(t, "https://192.0.2.1/q?name=dns.test")
	unnamed.Name, pathless.Path = "", ""
	for _, c := range []struct {
		what string
		c    ResolverConfig
		ok   bool
	}{
		{"a name with authorities", ResolverConfig{Upstreams: []rules.Upstream{named}, Roots: ca.roots}, true},
		{"a name without authorities", ResolverConfig{Upstreams: []rules.Upstream{named}}, false},
		{"in a zone", ResolverConfig{Upstreams: nowhere(t), Zones: []Zone{{mustName(t, "corp.test"), []rules.Upstream{named}}}}, false},
		{"neither name nor key", ResolverConfig{Upstreams: []rules.Upstream{unnamed}, Roots: ca.roots}, false},
		{"no path", ResolverConfig{Upstreams: []rules.Upstream{pathless}, Roots: ca.roots}, false},
	} {
		if _, err := NewResolver(c.c); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
