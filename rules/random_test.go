// Random sites and attempts over few names, so that rules meet.

package rules_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"strings"

	. "sallyport/rules"
)

// randomSite writes a configuration over few names, so that rules meet.
func randomSite(r *rand.Rand) string {
	var b strings.Builder
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	if r.IntN(4) == 0 {
		b.WriteString("ech = \"deny\"\nstrict_destination = true\n")
	}
	if r.IntN(3) == 0 {
		fmt.Fprintf(&b, "[dns]\nupstreams = [\"tcp://127.0.0.1\"]\ndnssec = %q\n", pick("log", "require"))
	}
	for i := range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "[[client]]\nname = \"c%d\"\nsources = [\"10.%d.0.0/%d\", \"10.%d.%d.0/24\"]\n", i, i, pick2(r, 16, 24), r.IntN(3), i+1)
		if r.IntN(3) == 0 {
			b.WriteString("mode = \"audit\"\n")
		}
		if r.IntN(5) == 0 {
			b.WriteString("profiles = []\n")
			continue
		}
		if r.IntN(4) == 0 {
			b.WriteString(randomProfiles(r))
			continue
		}
		fmt.Fprintf(&b, "profiles = [\"product\"]\nrole = %q\nfeatures = [%s]\n", pick("manager", "agent"), pick("", `"cloud"`, `"cloud", "guardian"`))
		if v := pick("", "6.0.3", "6.0.4", "6.0.10"); v != "" {
			fmt.Fprintf(&b, "version = %q\n", v)
		}
		if r.IntN(4) == 0 {
			fmt.Fprintf(&b, "without = [%s]\n", pick(`"web"`, `"anything", "agent-manager"`, `"address", "cdn"`))
		}
		if r.IntN(2) == 0 {
			b.WriteString("[client.addresses]\nmanager = [\"10.20.30.40\", \"121.46.26.0/24\", \"www.product.example\"]\n")
		}
	}
	for i := range r.IntN(6) {
		fmt.Fprintf(&b, "[[rule]]\nid = \"r%d\"\nclient = \"c0\"\nreason = \"x\"\n", i)
		list := fmt.Sprintf("to_files = [%q]\n", listNamed(randomTo(r), randomTo(r), randomTo(r)))
		to := fmt.Sprintf("to = [%q, %q]\n", randomTo(r), randomTo(r))
		b.WriteString(pick(to, list, to+list))
		b.WriteString(pick("any = true\n", "tcp = [443]\n", "tcp = [80, \"8000-9000\"]\nudp = [53]\n", "udp = \"all\"\n"))
		b.WriteString(pick("", "", "expires = 2026-01-01\n", "expires = 2028-01-01\n"))
	}
	if r.IntN(3) == 0 {
		b.WriteString("[[dns.zone]]\nsuffix = \"product.example\"\nupstreams = [\"udp://10.0.0.53\"]\n")
	}
	if r.IntN(3) == 0 {
		b.WriteString("[resolve]\nprivate = [\"10.64.0.0/10\"]\n")
	}
	return b.String()
}

// namedLists is a disk whose files are lists. The name of a file is its text.
type namedLists struct{}

func (namedLists) Read(path string, _ int) ([]byte, error) {
	return []byte(strings.NewReplacer(",", "\n", "|", "/").Replace(path)), nil
}

func (namedLists) List(string, string) ([]string, error) { return nil, fs.ErrNotExist }

// listNamed returns the name of the file with these entries.
func listNamed(entries ...string) string {
	return strings.ReplaceAll(strings.Join(entries, ","), "/", "|")
}

// randomProfiles writes two profiles with bindings of their own, with bindings of the
// client, or with both kinds.
func randomProfiles(r *rand.Rand) string {
	own := func(to string) string {
		if r.IntN(2) == 0 {
			return ""
		}
		return "[client.profile.addresses]\nmanager = [\"" + to + "\"]\n"
	}
	text := "[[client.profile]]\nname = \"product\"\nrole = \"agent\"\n" + own("10.20.30.40") + "[[client.profile]]\nname = \"another\"\nrole = \"probe\"\n" + own("10.64.0.1")
	if r.IntN(2) == 0 {
		text += "[client.addresses]\nmanager = [\"121.46.26.0/24\", \"www.product.example\"]\n"
	}
	return text
}

func pick2(r *rand.Rand, a, b int) int {
	if r.IntN(2) == 0 {
		return a
	}
	return b
}

func randomTo(r *rand.Rand) string {
	return []string{"*.product.example", "*.cdn.product.example", "www.product.example", "a.cdn.product.example", "121.46.26.221", "121.46.0.0/16", "10.0.0.0/8", "site.example",
		"2606:4700::/32", "time.product.example", "127.0.0.0/8"}[r.IntN(11)]
}

func randomHost(r *rand.Rand) Name {
	return MustName([]string{"www.product.example", "cloud.product.example", "guarded.product.example", "old.product.example", "new.product.example", "update.product.example",
		"any.product.example", "time.product.example", "cdn.product.example", "a.cdn.product.example", "b.a.cdn.product.example", "agents.product.example", "ssh.product.example",
		"product.example", "site.example", "x.site.example", "evil.test"}[r.IntN(17)])
}

func randomAddr(r *rand.Rand) netip.Addr {
	return netip.MustParseAddr([]string{"121.46.26.221", "121.46.26.7", "13.94.16.103", "10.20.30.40", "10.64.0.1", "127.0.0.1", "10.1.0.254", "198.41.0.4", "2606:4700::1", "::1"}[r.IntN(10)])
}

func randomAttempt(r *rand.Rand) Attempt {
	maybe := func(n int) bool { return r.IntN(n) == 0 }
	a := Attempt{
		Via: Via(r.IntN(7)), Proto: Proto(1 + r.IntN(2)), Provisional: maybe(3),
		Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(r.IntN(3)), byte(r.IntN(3)), 1}), 4000),
	}
	port := []uint16{443, 80, 53, 22, 123, 8443, 3128, 9180}[r.IntN(8)]
	var addr netip.Addr
	if maybe(3) {
		addr = randomAddr(r)
	} else {
		a.Authority = randomHost(r)
		if maybe(4) {
			addr = randomAddr(r)
		}
	}
	a.Dest = netip.AddrPortFrom(addr, port)
	a.Shown = Shown(r.IntN(5))
	if port == 443 && !maybe(5) {
		a.Shown = ShownTLS
	}
	if port == 80 && !maybe(5) {
		a.Shown = ShownHTTP
	}
	if a.Shown == ShownTLS && !maybe(4) {
		if a.SNI = a.Authority; maybe(4) {
			a.SNI = randomHost(r)
		}
		a.ECH = maybe(6)
	}
	if a.Shown == ShownHTTP && !maybe(4) {
		if a.Host = a.Authority; a.Host.IsZero() || maybe(5) {
			a.Host, a.HostAddr = Name{}, randomAddr(r)
		}
		if a.HostPort = port; maybe(6) {
			a.HostPort = 80
		}
	}
	a.Mismatch, a.Unproven = maybe(5), maybe(5)
	if maybe(8) {
		a.Fault = Reasons()[r.IntN(len(Reasons()))]
	}
	a.QType = []uint16{1, 1, 28, 65, 64, 16}[r.IntN(6)]
	if a.Via == ViaTransparent && maybe(3) {
		a.Original = netip.AddrPortFrom(randomAddr(r), port)
	}
	if a.Via == ViaDNS {
		a.Dest = netip.AddrPortFrom(a.Dest.Addr(), 0) // as in an answer
	}
	return a
}
