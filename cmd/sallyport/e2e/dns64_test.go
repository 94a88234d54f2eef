//go:build linux

// DNS64: with a real DNS64 server as the upstream, sallyport discovers the NAT64 prefix.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const dns64Site = `
[listen]
dns = ["127.0.0.1:5300"]
[[client]]
name = "lab"
sources = ["127.0.0.0/8"]
profiles = []
[[rule]]
id = "r"
client = "lab"
to = ["public.v4.example", "private.v4.example", "loopback.v4.example"]
tcp = [443]
reason = "test"
[dns]
upstreams = ["udp://127.0.0.53:53"]
[resolve]
nat64 = [%s]
[journal]
path = "d.jsonl"
`

const dns64Zone = `$TTL 300
@ IN SOA ns.v4.example. root.v4.example. 1 2 3 4 60
@ IN NS ns
ns IN A 93.184.61.1
public IN A 93.184.61.10
private IN A 10.0.0.1
loopback IN A 127.0.0.1
`

// TestDiscoversDNS64 asserts, behind BIND's DNS64 with prefixes of every
// length, that a permitted name resolves to addresses that contain a public
// IPv4 address, and never to an address that contains a private IPv4 address
// (RFC 7050, RFC 6052, RFC 6147). Without the entry, addresses below the
// well-known prefix are not permitted.
func TestDiscoversDNS64(t *testing.T) {
	need(t, "dig", "named")
	for _, c := range []struct{ what, prefix, entry, public string }{
		{"well known", "64:ff9b::/96", `"discover"`, "64:ff9b::5db8:3d0a"},
		{"of 48 bits", "2600:64:1::/48", `"discover"`, "2600:64:1:5db8:3d:a00::"},
		{"of 32 bits", "2600:64::/32", `"discover"`, "2600:64:5db8:3d0a::"},
		{"without the entry", "64:ff9b::/96", "", ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			n, dir := newNetns(t, "dns64"), t.TempDir()
			n.ip(t, "address add 127.0.0.53/8 dev lo") // BIND listens only on addresses of an interface
			for file, text := range map[string]string{
				"s.toml": fmt.Sprintf(dns64Site, c.entry),
				"zone":   dns64Zone,
				"named.conf": fmt.Sprintf("options { directory %q; pid-file none; session-keyfile none; listen-on port 53 { 127.0.0.53; }; listen-on-v6 { none; };\n"+
					" recursion yes; dnssec-validation no; dns64 %s { clients { any; }; }; };\ncontrols { };\nzone \"v4.example\" { type primary; file \"zone\"; };\n", dir, c.prefix),
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			ask := func(server, name string) string {
				return n.run(t, dir, "", "dig", append(strings.Fields(server), "+tries=1", "+time=2", "+noall", "+comments", "+answer", name, "AAAA")...).stdout
			}
			await := func(server, name, text string) {
				t.Helper()
				out := ""
				for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
					if out = ask(server, name); strings.Contains(out, text) {
						return
					}
				}
				t.Fatalf("%s: the answer never contained %s: %s", name, text, out)
			}
			background(t, n, dir, "named", "-g", "-c", "named.conf")
			await("@127.0.0.53", "ipv4only.arpa", "NOERROR") // from the zone of that name in BIND
			await("@127.0.0.53", "private.v4.example", "AAAA\t")
			background(t, n, dir, builtBinary(t), "run", "--config", "s.toml")
			await("@127.0.0.1 -p 5300", "public.v4.example", "status: ")
			out := ask("@127.0.0.1 -p 5300", "public.v4.example")
			if answered := strings.Contains(out, "AAAA\t"); answered != (c.public != "") || !strings.Contains(out, c.public) {
				t.Errorf("the answer for a public IPv4 address: %s", out)
			}
			for _, name := range []string{"private.v4.example", "loopback.v4.example"} {
				if out := ask("@127.0.0.1 -p 5300", name); strings.Contains(out, "AAAA\t") {
					t.Errorf("%s: %s", name, out)
				}
			}
			eventually(t, 30*time.Second, "two denials in the journal", func() error {
				journal, err := os.ReadFile(filepath.Join(dir, "d.jsonl"))
				if strings.Count(string(journal), `"private_address"`) < 2 {
					return errorf("%s, %v", journal, err)
				}
				return nil
			})
		})
	}
}
