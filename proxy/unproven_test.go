// Look-ups whose answer DNSSEC does not prove: by every front end, with each setting of the site.

package proxy

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"sallyport/rules"
)

// dnssecConfig is redirectConfig with a setting.
func dnssecConfig(setting string) string {
	return redirectConfig + "[dns]\nupstreams = [\"tcp://127.0.0.1\"]\ndnssec = \"" + setting + "\"\n"
}

const unsignedZone = "the zone is not signed"

// TestUnproven asserts, for every front end: with "require" the connection is denied as
// dns_bogus, nothing is dialed, and the reason arrives; with "log" the connection works and is
// recorded as what would be denied; with "off" it is like any other.
func TestUnproven(t *testing.T) {
	t.Parallel()
	get := "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
	for front, try := range map[string]func(b *redirectWorld) string{
		"CONNECT": func(b *redirectWorld) string {
			conn, resp, r := b.connectTo("a.example:443", "")
			if resp.StatusCode != 200 {
				return resp.Status + " " + resp.Header.Get("X-Sallyport-Reason") + " " + resp.Header.Get("X-Sallyport-Hint")
			}
			conn.Write(helloFor(b.t, "a.example"))
			conn.CloseWrite()
			got, _ := io.ReadAll(r)
			return "relayed " + string(got)
		},
		"HTTP in a tunnel": func(b *redirectWorld) string {
			conn, resp, r := b.connectTo("a.example:80", "")
			if resp.StatusCode != 200 {
				return resp.Status + " " + resp.Header.Get("X-Sallyport-Reason") + " " + resp.Header.Get("X-Sallyport-Hint")
			}
			io.WriteString(conn, get)
			got, _ := io.ReadAll(r)
			return "relayed " + string(got)
		},
		"HTTP": func(b *redirectWorld) string {
			e := b.exchange(strings.Replace(get, "GET /", "GET http://a.example/", 1))
			got, _ := io.ReadAll(e.r)
			return strings.Replace(string(got), "HTTP/1.1 200", "relayed", 1)
		},
		"SOCKS5": func(b *redirectWorld) string {
			conn := b.dial(b.socks)
			io.WriteString(conn, greeting+nameRequest(1, "a.example", 443)+string(helloFor(b.t, "a.example")))
			conn.CloseWrite()
			got, _ := io.ReadAll(conn)
			if string(got) == "\x05\x00"+reply(2) {
				return "SOCKS5 reply 2 dns_bogus " + unsignedZone
			}
			return "relayed " + string(got)
		},
		"redirected TLS": func(b *redirectWorld) string {
			conn := b.to("8.8.8.8:443")
			conn.Write(helloFor(b.t, "a.example"))
			conn.CloseWrite()
			got, _ := io.ReadAll(conn)
			if string(got) == alert {
				return "alert dns_bogus " + unsignedZone
			}
			return "relayed " + string(got)
		},
		"redirected HTTP": func(b *redirectWorld) string {
			e := b.exchangeTo("8.8.8.8:80", get)
			got, _ := io.ReadAll(e.r)
			return strings.Replace(string(got), "HTTP/1.1 200", "relayed", 1)
		},
	} {
		for _, setting := range []string{"require", "log", "off"} {
			t.Run(front+", "+setting, func(t *testing.T) {
				t.Parallel()
				b := newRedirectWorld(t, func(c *Config) {
					lookup := c.Lookup
					c.Lookup = func(ctx context.Context, g *rules.Generation, n rules.Name) ([]netip.Addr, error) {
						if setting == "require" {
							return nil, &UnprovenError{Why: unsignedZone, Err: errors.New("no usable answer")}
						}
						return lookup(ctx, g, n)
					}
					c.Unproven = func(*rules.Generation, rules.Name) string {
						if setting == "log" {
							return unsignedZone
						}
						return ""
					}
				})
				b.policy(dnssecConfig(setting))
				o := b.origin("8.8.8.8:443", echo)
				o80 := b.origin("8.8.8.8:80", answering(okAnswer))
				got := try(b)
				if setting == "require" {
					if strings.Contains(got, "relayed") || !strings.Contains(got, "dns_bogus") || !strings.Contains(got, unsignedZone) {
						t.Errorf("the client sees %q", got)
					}
					if r := b.wantOne(rules.Deny, rules.DNSBogus); !r.a.Unproven || r.a.Detail != unsignedZone {
						t.Errorf("on record %+v", r.a)
					}
					if len(b.dialed()) > 0 || o.received()+o80.received() != "" {
						t.Errorf("dialed %v", b.dialed())
					}
					return
				}
				if !strings.Contains(got, "relayed") {
					t.Errorf("the client sees %q", got)
				}
				r := b.wantOne(rules.Allow, rules.ReasonNone)
				if r.d.Would != (setting == "log") || setting == "log" && (r.d.Why() != rules.DNSBogus || r.a.Detail != unsignedZone) {
					t.Errorf("would %v %v, detail %q", r.d.Would, r.d.Why(), r.a.Detail)
				}
			})
		}
	}
}

// TestUnprovenAfterReload asserts that a reload to "require" ends the open flows whose addresses
// are not proven, and no other flow, and that a reload to "off" ends none.
func TestUnprovenAfterReload(t *testing.T) {
	t.Parallel()
	for setting, ends := range map[string]int{"require": 1, "log": 0, "off": 0} {
		b := newRedirectWorld(t, func(c *Config) {
			c.Unproven = func(_ *rules.Generation, n rules.Name) string {
				if n.String() == "a.example" {
					return unsignedZone
				}
				return ""
			}
		})
		b.policy(dnssecConfig("log"))
		for name, addr := range map[string]string{"a.example": "8.8.8.8:443", "b.example": "8.8.8.6:443"} {
			b.origin(addr, echo)
			conn, r := b.tunnelTo(name+":443", "")
			hello := helloFor(t, name)
			conn.Write(hello)
			if _, err := io.ReadFull(r, make([]byte, len(hello))); err != nil {
				t.Fatal(err)
			}
		}
		b.policy(dnssecConfig(setting))
		if n := b.p.Recheck(); n != ends {
			t.Errorf("to %q: %d flows ended, want %d", setting, n, ends)
		}
	}
}

// TestUnprovenRefusedByLog asserts that an answer without proof is denied if the resolver lets
// it through but the policy does not, whatever the cause of that.
func TestUnprovenRefusedByLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.Unproven = func(*rules.Generation, rules.Name) string { return unsignedZone }
	})
	w.policy(dnssecConfig("require"))
	o := w.origin("8.8.8.8:443", echo)
	conn, _, r := w.connectTo("a.example:443", "")
	conn.Write(helloFor(t, "a.example"))
	conn.CloseWrite()
	io.Copy(io.Discard, r)
	w.wantOne(rules.Deny, rules.DNSBogus)
	if o.received() != "" {
		t.Errorf("arrived %q", o.received())
	}
}

// TestUnprovenDatagrams asserts the same for the datagrams of an association.
func TestUnprovenDatagrams(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"require", "log"} {
		w := newUDPWorld(t, func(c *Config) {
			lookup := c.Lookup
			c.Lookup = func(ctx context.Context, g *rules.Generation, n rules.Name) ([]netip.Addr, error) {
				if setting == "require" {
					return nil, &UnprovenError{Why: unsignedZone, Err: errors.New("no usable answer")}
				}
				return lookup(ctx, g, n)
			}
			c.Unproven = func(*rules.Generation, rules.Name) string { return unsignedZone }
		})
		w.policy(udpConfig + "[dns]\nupstreams = [\"tcp://127.0.0.1\"]\ndnssec = \"" + setting + "\"\n")
		o, c := w.origin("8.8.8.8:123"), w.associated()
		c.send(header("a.example", 123) + "what time?")
		if setting == "log" {
			if got, _ := w.receive(o); got != "what time?" {
				t.Errorf("origin got %q", got)
			}
			if r := w.wantOne(rules.Allow, rules.ReasonNone); !r.d.Would || r.d.Why() != rules.DNSBogus || r.a.Detail != unsignedZone {
				t.Errorf("on record %v %v %q", r.d.Would, r.d.Why(), r.a.Detail)
			}
			continue
		}
		if a := w.denial(rules.DNSBogus); a.Detail != unsignedZone {
			t.Errorf("on record %q", a.Detail)
		}
		w.nothing(o)
		if len(w.dialed()) > 0 {
			t.Errorf("dialed %v", w.dialed())
		}
	}
}
