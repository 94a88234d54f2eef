// Generate: journals of any size, with the denials of a made-up site.

package journaltest

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/configs"
	"sallyport/denials/journal"
	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/site"
)

// Fleet is the configuration of the site whose gateway wrote the journals.
const Fleet = `
mode = "enforce"
ech  = "deny"

[listen]
http = ["192.0.2.1:3128"]

# The manager of the endpoints.
[[client]]
name     = "es-manager"
sources  = ["10.1.0.0/24"]
profiles = ["endpoint-secure-onprem"]
role     = "manager"
features = ["cyber-guardian"] # asked for in the contract

[[client]]
name     = "es-agents"
sources  = ["10.2.0.0/16"]
profiles = ["endpoint-secure-onprem"]
role     = "agent"

[[client]]
name    = "sep"
sources = ["10.3.0.0/24"]
[[client.profile]]
name    = "symantec-endpoint-protection"
role    = "manager"
version = "12.1"
[[client.profile]]
name = "symantec-liveupdate"
[client.addresses]
database = ["10.3.9.9"]

[[client]]
name     = "laptops"
sources  = ["10.4.0.0/16"]
profiles = ["endpoint-secure-saas"]
mode     = "audit"

[[rule]]
id      = "gone"
client  = "es-manager"
to      = ["gone.corp.example"]
tcp     = [443]
reason  = "a migration"
expires = 2026-01-31
`

// Profiles returns the shipped profiles.
func Profiles(t testing.TB) []*rules.Profile {
	t.Helper()
	dir := configs.Profiles()
	names, err := fs.Glob(dir, "*.toml")
	if err != nil {
		t.Fatal(err)
	}
	var out []*rules.Profile
	for _, n := range names {
		data, err := fs.ReadFile(dir, n)
		if err != nil {
			t.Fatal(err)
		}
		p, err := profile.Parse(n, data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// policyOf compiles Fleet at the time Noon().
func policyOf(t testing.TB) *rules.Policy {
	t.Helper()
	cfg, problems := site.Parse("site.toml", site.Disk{}, []byte(Fleet), Profiles(t))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	policy, _ := rules.Compile(&cfg.Spec, rules.Own{Listeners: cfg.Listen.HTTP}, Noon())
	return policy
}

// A Generator makes attempts, and journals of the denials of Fleet's policy.
type Generator struct {
	policy *rules.Policy
	rnd    *rand.Rand
	hosts  []string // documented names
	seq    uint64
}

// NewGenerator returns a generator; the same seed makes the same attempts.
func NewGenerator(t testing.TB, seed uint64) *Generator {
	g := &Generator{policy: policyOf(t), rnd: rand.New(rand.NewPCG(seed, 1))}
	for _, p := range Profiles(t) {
		for _, r := range p.Rules {
			for _, d := range r.To {
				if !d.Name.IsZero() {
					g.hosts = append(g.hosts, d.Name.String())
				}
			}
		}
	}
	return g
}

// host returns a documented name, a misspelled documented name, or another name.
func (g *Generator) host() string {
	h := g.hosts[g.rnd.IntN(len(g.hosts))]
	switch g.rnd.IntN(10) {
	case 0:
		return "x" + h // a name with the same end
	case 1:
		return "www." + h
	case 2:
		return h + ".evil.example"
	case 3:
		return strings.Replace(h, "a", "4", 1)
	case 4:
		return fmt.Sprintf("%08x.beacon.example", g.rnd.Uint32()) // a name that occurs only once
	case 5:
		return "telemetry.vendor.example"
	}
	return h
}

// Attempt returns an attempt of a client of Fleet, or of an unknown client.
func (g *Generator) Attempt() rules.Attempt {
	nets := [...]string{"10.1.0.%d", "10.2.0.%d", "10.3.0.%d", "10.4.0.%d", "10.66.0.%d"}
	client := netip.MustParseAddr(fmt.Sprintf(nets[g.rnd.IntN(len(nets))], 1+g.rnd.IntN(40)))
	g.seq++
	a := rules.Attempt{Flow: g.seq, Via: rules.ViaConnect, Client: netip.AddrPortFrom(client, 40000), Proto: rules.TCP, Provisional: true, QType: 1}
	port := [...]uint16{443, 443, 443, 443, 80, 8080, 4430}[g.rnd.IntN(7)]
	n, err := rules.ParseName(g.host())
	if err != nil {
		n = rules.Name{}
	}
	a.Authority, a.Dest = n, netip.AddrPortFrom(netip.Addr{}, port)
	switch g.rnd.IntN(20) {
	case 0, 1, 2, 3, 4:
		a.Via, a.Proto, a.Dest = rules.ViaDNS, rules.UDP, netip.AddrPort{}
		a.QType = [...]uint16{1, 1, 28, 65, 16}[g.rnd.IntN(5)]
	case 5:
		a.Authority, a.Dest = rules.Name{}, netip.AddrPortFrom(netip.AddrFrom4([4]byte{8, 8, 4, byte(g.rnd.IntN(40))}), port)
	case 6:
		a.Authority, a.Fault, a.Raw = rules.Name{}, rules.MalformedName, []byte("bad\x1b[2J\u202e<script>alert(1)</script>")
	case 7:
		a.Provisional, a.Shown = false, rules.ShownTLS
		a.SNI, _ = rules.ParseName("forged.example")
	case 8:
		a.Resolved = []netip.Addr{netip.MustParseAddr("10.9.8.7")}
		a.Dest = netip.AddrPortFrom(a.Resolved[0], port)
	case 9:
		a.Fault = [...]rules.Reason{rules.NotTLS, rules.NotHTTP, rules.SniffTimeout, rules.SniffTooLong, rules.Limit, rules.MalformedRequest,
			rules.QUIC, rules.Draining, rules.HostMismatch}[g.rnd.IntN(9)]
	case 10:
		a.Via, a.Proto = rules.ViaUDP, rules.UDP
	case 11:
		a.Provisional, a.Shown = false, rules.ShownTLS // without a name
	}
	return a
}

// Write writes n denials, ten a second, over as many days as that takes.
func (g *Generator) Write(w io.Writer, n int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	var made []journal.Record
	var buf []byte
	at := Noon().AddDate(0, 0, -7)
	for i := 0; i < n; {
		var r journal.Record
		if len(made) < 4000 || g.rnd.IntN(50) == 0 {
			a := g.Attempt()
			d := g.policy.Decide(a)
			if d.Allowed() && !d.Would {
				continue
			}
			r = journal.RecordOf(time.Time{}, a, d)
			if len(made) < 4000 {
				made = append(made, r)
			}
		} else {
			r = made[g.rnd.IntN(len(made))] // clients try again
		}
		at = at.Add(time.Duration(g.rnd.IntN(200)) * time.Millisecond)
		i++
		r.Time, r.Seq, r.Boot, r.Flow = at, uint64(i), "vhk3pzqd7a", uint64(i)
		if g.rnd.IntN(400) == 0 {
			r.Count = 2 + uint64(g.rnd.IntN(1000))
		}
		buf = r.Append(buf[:0])
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	return out.Flush()
}

// Generated writes n denials into a file and returns its path.
func Generated(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "denials.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := NewGenerator(t, 1).Write(f, n); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}
