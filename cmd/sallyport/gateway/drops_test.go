// Tests of how the gateway records what the packet filter dropped.

package gateway

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/cmd/sallyport/nftables"
)

// patient is how long a test waits for something that must happen.
const patient = 10 * time.Second

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// /readyz, the health page and the service manager report when drops are not
// journaled. A proxy has no packet filter, so it reports nothing.
func TestDropsAreReported(t *testing.T) {
	g, _, _ := readyGateway(t)
	g.drops = nftables.NewDropJournal(nil, g.recordDrop, "", quiet())
	if _, text := g.readyz(); strings.Contains(text, "packet filter") {
		t.Errorf("a proxy reports\n%s", text)
	}
	booted := *g.booted
	booted.Listen.Transparent = []netip.AddrPort{netip.MustParseAddrPort("[::]:3129")}
	g.booted = &booted
	const none = "packet filter: drops of the packet filter are not journaled: run has neither --filter-counters nor --live-sets; \"By hand\" in deploy/gateway.md has the two commands\n"
	if code, text := g.readyz(); code != 200 || !strings.Contains(text, none) {
		t.Errorf("%d without counters:\n%s", code, text)
	}
	readings := []nftables.Reading{{Totals: map[string]uint64{"reject_quic": 0, "drop_udp": 1}}}
	why := error(nil)
	g.drops = nftables.NewDropJournal(func() ([]nftables.Reading, error) { return readings, why }, g.recordDrop, "", quiet())
	g.drops.Pass()
	if _, text := g.readyz(); !strings.Contains(text, "packet filter: drops are journaled\n") {
		t.Errorf("with counters:\n%s", text)
	}
	if page := fmt.Sprint(g.health()); !strings.Contains(page, "drops are journaled; packets since the ruleset was loaded: drop_udp 1") {
		t.Errorf("the page shows %s", page)
	}
	why = nftables.ErrNoTable
	g.drops.Pass()
	if status := g.status(); !strings.HasPrefix(status, "drops of the packet filter are not journaled: table inet sallyport is not loaded; revision ") {
		t.Errorf("the status is %q", status)
	}
}

// A drop that the policy denies too is recorded without a fault, because a change
// of the policy could permit it. A drop that the policy permits is still recorded
// as denied.
func TestDropsThatAPolicyDenies(t *testing.T) {
	g, _, write := readyGateway(t)
	write(readySite + "[[rule]]\nid = \"log\"\nclient = \"manager\"\nto = [\"93.184.0.51\"]\nudp = [514]\nreason = \"test\"\n")
	g.Reload("test")
	for _, c := range []struct {
		to   string
		want string
	}{
		{"93.184.0.51:123", `"reason":"port_not_listed"`},
		{"93.184.0.51:514", `"fault":"not_listed","reason":"not_listed"`},
	} {
		d := nftables.Drop{Counter: "drop_udp", Client: netip.MustParseAddr("10.77.0.10"), Dest: netip.MustParseAddrPort(c.to), Proto: 17}
		if got := g.recordDrop(d.Attempt(), 3); got.Allowed() {
			t.Errorf("%s: allowed", c.to)
		}
		if line := g.lineWith(t, c.to); !strings.Contains(line, c.want) || !strings.Contains(line, `"count":3`) || strings.Contains(line, `"fault"`) != strings.Contains(c.want, `"fault"`) {
			t.Errorf("%s: %s", c.to, line)
		}
	}
}

// lineWith waits for the journal's line of a destination.
func (g *Gateway) lineWith(t *testing.T, dest string) string {
	t.Helper()
	to := netip.MustParseAddrPort(dest)
	part := fmt.Sprintf(`"host":%q,"port":%d,`, to.Addr(), to.Port())
	for end := time.Now().Add(patient); ; {
		data, err := os.ReadFile(g.booted.Journal.Path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if strings.Contains(line, part) {
				return line
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no line has %s:\n%s", part, data)
		}
	}
}
