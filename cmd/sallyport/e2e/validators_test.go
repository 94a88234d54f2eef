//go:build linux

// Validators: real resolvers between a client and sallyport, with and without
// validation. The names of a small world have real signatures up to a root of its
// own.

package e2e

import (
	"crypto"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A signedWorld answers as a recursive resolver that knows a signed root, the
// signed zone signed.example below it, and everything below plain.example, which
// is not signed.
type signedWorld struct {
	root, example *zoneKey
	mu            sync.Mutex
	asked         []string
}

// zoneKey signs the records of one zone.
type zoneKey struct {
	key  *dns.DNSKEY
	priv crypto.Signer
}

func newZoneKey(t *testing.T, zone string) *zoneKey {
	t.Helper()
	k := &dns.DNSKEY{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: 1, Ttl: 300}, Flags: 257, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	priv, err := k.Generate(256)
	if err != nil {
		t.Fatal(err)
	}
	return &zoneKey{k, priv.(crypto.Signer)}
}

// signed returns a record set with its signature.
func (z *zoneKey) signed(rrs ...dns.RR) []dns.RR {
	now := uint32(time.Now().Unix())
	sig := &dns.RRSIG{
		Hdr: dns.RR_Header{Ttl: rrs[0].Header().Ttl}, Algorithm: z.key.Algorithm, KeyTag: z.key.KeyTag(), SignerName: z.key.Hdr.Name,
		Inception: now - 3600, Expiration: now + 86400,
	}
	if err := sig.Sign(z.priv, rrs); err != nil {
		panic(err)
	}
	return append(rrs, sig)
}

// none returns the proof that a name has only records of some types.
func (z *zoneKey) none(name, next, types string) []dns.RR {
	soa, _ := dns.NewRR(z.key.Hdr.Name + " 60 IN SOA ns.invalid. root.invalid. 1 2 3 4 60")
	nsec, _ := dns.NewRR(name + " 60 IN NSEC " + next + " " + types)
	return append(z.signed(soa), z.signed(nsec)...)
}

func (w *signedWorld) ServeDNS(to dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	if o := q.IsEdns0(); o != nil {
		m.SetEdns0(1232, o.Do())
	}
	name, qtype := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	w.mu.Lock()
	w.asked = append(w.asked, name+" "+dns.Type(qtype).String())
	w.mu.Unlock()
	a := func(owner string) dns.RR { rr, _ := dns.NewRR(owner + " 300 IN A 93.184.61.10"); return rr }
	switch {
	case name == "." && qtype == dns.TypeDNSKEY:
		m.Answer = w.root.signed(w.root.key)
	case name == "signed.example." && qtype == dns.TypeDNSKEY:
		m.Answer = w.example.signed(w.example.key)
	case name == "signed.example." && qtype == dns.TypeDS:
		m.Answer = w.root.signed(w.example.key.ToDS(dns.SHA256))
	case name == "example.": // an empty name of the root zone
		m.Ns = w.root.none(name, "plain.example.", "RRSIG NSEC")
	case name == "plain.example." && qtype == dns.TypeDS:
		m.Ns = w.root.none(name, "signed.example.", "NS RRSIG NSEC")
	case strings.HasSuffix(name, ".plain.example.") && qtype == dns.TypeA && strings.HasPrefix(name, "alias."):
		cname, _ := dns.NewRR(name + " 300 IN CNAME edge.plain.example.")
		m.Answer = []dns.RR{cname, a("edge.plain.example.")}
	case strings.HasSuffix(name, ".plain.example.") && qtype == dns.TypeA:
		m.Answer = []dns.RR{a(name)}
	case name == "bogus.signed.example." && qtype == dns.TypeA:
		m.Answer = w.example.signed(a(name))
		m.Answer[0].(*dns.A).A.To4()[3] = 66 // this differs from the signed record
	case strings.HasSuffix(name, ".signed.example.") && qtype == dns.TypeA:
		m.Answer = w.example.signed(a(name))
	case strings.HasSuffix(name, "signed.example."):
		m.Ns = w.example.none(name, "z."+name, "A RRSIG NSEC")
	default:
		soa, _ := dns.NewRR("plain.example. 60 IN SOA ns.invalid. root.invalid. 1 2 3 4 60")
		m.Ns = []dns.RR{soa}
	}
	if to.LocalAddr().Network() == "udp" {
		m.Truncate(1232)
	}
	_ = to.WriteMsg(m)
}

const validatorSite = `
[listen]
dns = ["127.0.0.1:5300"]
[[client]]
name = "lab"
sources = ["127.0.0.0/8"]
profiles = []
[[rule]]
id = "r"
client = "lab"
to = ["www.signed.example", "bogus.signed.example", "www.plain.example", "alias.plain.example", "deep.empty.plain.example"]
tcp = [443]
reason = "test"
[dns]
upstreams = ["udp://127.0.0.53:53"]
[journal]
path = "d.jsonl"
`

// TestResolversInFront checks what a client of Unbound, BIND, dnsmasq and
// systemd-resolved gets if these ask sallyport, with and without validation.
// Permitted names resolve, among them an alias and a name below an empty name. A
// validator finds a wrong signature. A denied name does not resolve.
func TestResolversInFront(t *testing.T) {
	need(t, "dig", "unbound", "named", "dnsmasq", "delv", "setpriv", "unshare", resolvedProgram())
	n := newNetns(t, "front")
	w := &signedWorld{root: newZoneKey(t, "."), example: newZoneKey(t, "signed.example.")}
	n.ip(t, "address add 127.0.0.5/8 dev lo", "address add 127.0.0.6/8 dev lo")                                                // BIND listens on addresses that an interface has
	n.ip(t, "link add up0 type veth peer name up1", "link set up0 up", "link set up1 up", "address add 198.41.0.2/24 dev up0") // systemd-resolved sends no queries on a host without a network
	serveDNS(t, n, w, "127.0.0.53:53")
	dir := t.TempDir()
	anchor := w.root.key.ToDS(dns.SHA256)
	key := fmt.Sprintf(`. static-key 257 3 13 "%s";`, w.root.key.PublicKey)
	for file, text := range map[string]string{
		"s.toml":         validatorSite,
		"plain.conf":     unboundConf("127.0.0.3", dir, "module-config: iterator"),
		"valid.conf":     unboundConf("127.0.0.4", dir, "module-config: \"validator iterator\"\n trust-anchor: \""+strings.ReplaceAll(anchor.String(), "\t", " ")+"\""),
		"plain.named":    namedConf("127.0.0.5", dir, "dnssec-validation no;", ""),
		"valid.named":    namedConf("127.0.0.6", dir, "dnssec-validation yes;", "trust-anchors { "+key+" };"),
		"plain.resolved": resolvedConf("127.0.0.8", "no"),
		"valid.resolved": resolvedConf("127.0.0.9", "yes"),
		"root.positive":  strings.ReplaceAll(fmt.Sprintf(". IN DS %d %d %d %s\n", anchor.KeyTag, anchor.Algorithm, anchor.DigestType, anchor.Digest), "\t", " "),
		"delv.keys":      "trust-anchors { " + key + " };\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	background(t, n, dir, builtBinary(t), "run", "--config", "s.toml")
	background(t, n, dir, "unbound", "-d", "-c", "plain.conf")
	background(t, n, dir, "unbound", "-d", "-c", "valid.conf")
	background(t, n, dir, "named", "-g", "-c", "plain.named")
	background(t, n, dir, "named", "-g", "-c", "valid.named")
	resolved(t, n, dir, "plain.resolved")
	resolved(t, n, dir, "valid.resolved")
	background(t, n, dir, "dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--server=127.0.0.1#5300", "--listen-address=127.0.0.7", "--bind-interfaces", "--user=root", "--pid-file=")
	for _, c := range []struct {
		what, server string
		bogus        string // of a wrong signature
	}{
		{"sallyport itself", "@127.0.0.1 -p 5300", "NOERROR"},
		{"Unbound", "@127.0.0.3", "NOERROR"},
		{"Unbound, validating", "@127.0.0.4", "SERVFAIL"},
		{"BIND", "@127.0.0.5", "NOERROR"},
		{"BIND, validating", "@127.0.0.6", "SERVFAIL"},
		{"dnsmasq", "@127.0.0.7", "NOERROR"},
		{"systemd-resolved", "@127.0.0.8 -p 5308", "NOERROR"},
		{"systemd-resolved, validating", "@127.0.0.9 -p 5308", "SERVFAIL"},
	} {
		t.Run(c.what, func(t *testing.T) {
			ask := func(name string) string {
				out := n.run(t, dir, "", "dig", append(strings.Fields(c.server), "+tries=2", "+time=5", "+noall", "+comments", "+answer", name, "A")...).stdout
				return out
			}
			for deadline := time.Now().Add(20 * time.Second); !strings.Contains(ask("www.plain.example"), "NOERROR") && time.Now().Before(deadline); {
				time.Sleep(100 * time.Millisecond)
			}
			// First a name above a permitted one: its answer must not deny the names below (RFC 8020).
			if out := ask("empty.plain.example"); strings.Contains(out, "NXDOMAIN") {
				t.Errorf("an empty name: %s", out)
			}
			for _, name := range []string{"www.plain.example", "alias.plain.example", "deep.empty.plain.example", "www.signed.example"} {
				if out := ask(name); !strings.Contains(out, "status: NOERROR") || !strings.Contains(out, "93.184.61.10") {
					t.Errorf("%s: %s", name, out)
				}
			}
			if out := ask("bogus.signed.example"); !strings.Contains(out, "status: "+c.bogus) || c.bogus == "NOERROR" && !strings.Contains(out, "93.184.61.66") {
				t.Errorf("a wrong signature: %s", out)
			}
			for _, name := range []string{"evil.plain.example", "edge.plain.example", "evil.signed.example"} {
				if out := ask(name); strings.Contains(out, "93.184.61.10") || strings.Contains(out, "status: NOERROR") {
					t.Errorf("%s: %s", name, out)
				}
			}
		})
	}
	r := n.run(t, dir, "", "delv", "@127.0.0.1", "-p", "5300", "-a", "delv.keys", "+root=.", "www.signed.example", "A")
	if !strings.Contains(r.stdout, "; fully validated") || !strings.Contains(r.stdout, "93.184.61.10") {
		t.Errorf("delv: %v", r)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, q := range w.asked {
		if strings.HasPrefix(q, "evil.") || strings.HasPrefix(q, "edge.") {
			t.Errorf("upstream was asked %q", q)
		}
	}
}

func unboundConf(addr, dir, more string) string {
	return fmt.Sprintf("server:\n interface: %s\n port: 53\n do-daemonize: no\n chroot: \"\"\n username: \"\"\n directory: %q\n pidfile: \"\"\n"+
		" do-not-query-localhost: no\n use-syslog: no\n harden-below-nxdomain: yes\n %s\nremote-control:\n control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@5300\n", addr, dir, more)
}

func namedConf(addr, dir, validation, more string) string {
	return fmt.Sprintf("options { directory %q; pid-file none; session-keyfile none; listen-on port 53 { %s; }; listen-on-v6 { none; };\n"+
		" forward only; forwarders { 127.0.0.1 port 5300; }; %s };\ncontrols { };\n%s\n", dir, addr, validation, more)
}

func resolvedConf(addr, dnssec string) string {
	return fmt.Sprintf("[Resolve]\nDNS=127.0.0.1:5300\nDomains=~.\nFallbackDNS=\nDNSSEC=%s\nLLMNR=no\nMulticastDNS=no\nDNSStubListener=no\nDNSStubListenerExtra=%s:5308\n", dnssec, addr)
}

// resolved runs systemd-resolved. systemd-resolved uses fixed directories of the
// system, so it gets other directories in a mount namespace. It does not run as
// root, because it would then need a user of its own name.
func resolved(t *testing.T, n *netns, dir, conf string) {
	t.Helper()
	background(t, n, dir, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "--map-current-user", "--keep-caps", "--mount", "sh", "-c",
		`mount -t tmpfs none /run && mkdir -p /run/systemd/resolve/netif /run/dnssec-trust-anchors.d && cp root.positive /run/dnssec-trust-anchors.d/ &&
mount -t tmpfs none /etc/systemd && cp "$0" /etc/systemd/resolved.conf && exec "$1"`, conf, resolvedProgram())
}

// background runs a program in the namespace until the test ends.
func background(t *testing.T, n *netns, dir, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 1)
	ctx := t.Context()
	cmd := command(ctx, dir, name, args...)
	go func() {
		var out []byte
		_ = n.do(func() (err error) { out, err = cmd.CombinedOutput(); return err })
		done <- string(out)
	}()
	t.Cleanup(func() {
		out := <-done
		if t.Failed() {
			t.Logf("%s %v\n%s", name, args, out)
		}
	})
}
