// Tests that a journal lists its gateway's own addresses, and that replay and
// suggest on another host deny these addresses as the gateway does.

package denials

import (
	"context"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"

	"sallyport/denials/journal"
	"sallyport/denials/journaltest"
	"sallyport/rules"
	"sallyport/rules/site"
)

// wideSite listens on every address, and permits its own network.
const wideSite = `
[listen]
http   = ["0.0.0.0:3128"]
socks5 = ["[::]:1080"]
[[client]]
name     = "lab"
sources  = ["10.20.30.0/24"]
profiles = []
[[rule]]
id     = "net"
client = "lab"
to     = ["10.20.30.0/24"]
tcp    = "all"
reason = "T-1"
`

func wide(t *testing.T, text string, local func(netip.Addr) bool) *Site {
	t.Helper()
	s, err := NewSite(Source{File: "site.toml", Text: []byte(text), Profiles: journaltest.Profiles(t), Now: noon, Own: func(l site.Listen) rules.Own {
		return rules.Own{Listeners: slices.Concat(l.HTTP, l.SOCKS5), Local: local}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReplayAndSuggestElsewhereKnowTheGatewaysAddresses(t *testing.T) {
	gateway := wide(t, wideSite, func(a netip.Addr) bool { return a == netip.MustParseAddr("10.20.30.1") })
	elsewhere := wide(t, wideSite, func(a netip.Addr) bool { return a == netip.MustParseAddr("10.20.30.99") })
	start := journal.Record{Schema: journal.Schema, Time: noon, Seq: 1, Boot: "b", Event: journal.EventStart,
		Own: journal.OwnTexts([]netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:3128"), netip.MustParseAddrPort("[::]:1080")},
			[]netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.20.30.1"), netip.MustParseAddr("fe80::1%eth0")})}
	if want := []string{"0.0.0.0:3128", "[::]:1080", "10.20.30.1", "fe80::1"}; !slices.Equal(start.Own, want) {
		t.Errorf("own %q, want %q", start.Own, want)
	}
	records := []journal.Record{start}
	for i, to := range []string{"10.20.30.1:3128", "10.20.30.1:1080"} {
		ap := netip.MustParseAddrPort(to)
		r := denialOf(t, gateway, attempt(t, "10.20.30.7", ap.Addr().String(), ap.Port()))
		if r.Reason != "self" {
			t.Fatal(r.Reason)
		}
		r.Seq = uint64(2 + i)
		records = append(records, r)
	}
	files := []string{journalOf(t, filepath.Join(t.TempDir(), "j"), records...)}
	there, err := elsewhere.Recorded(files)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		site      *Site
		permitted uint64
	}{"the gateway": {gateway, 0}, "elsewhere, without the record": {elsewhere, 2}, "elsewhere": {there, 0}} {
		got, err := Replay(context.Background(), Query{Files: files, Site: c.site})
		if err != nil || got.Decisions != 2 || got.Permitted != c.permitted || got.Unchanged != 2-c.permitted {
			t.Errorf("%s: %+v %v", what, got, err)
		}
	}
	for _, sg := range suggestFor(t, there, attempt(t, "10.20.30.7", "10.20.30.1", 3128)) {
		if sg.Cure != CureNever || sg.TOML != "" {
			t.Errorf("a rule for what is self: %+v", sg)
		}
	}
	if d := there.Policy.Decide(attempt(t, "10.20.30.7", "10.20.30.99", 3128)); !d.Allowed() {
		t.Errorf("an address of the reviewer's host counts as the gateway's: %v", d.Why())
	}
	again, _ := gateway.Recorded(files)
	if d := again.Policy.Decide(attempt(t, "10.20.30.7", "10.20.30.1", 3128)); d.Why() != rules.Self {
		t.Errorf("on the gateway: %v", d.Why())
	}
}
