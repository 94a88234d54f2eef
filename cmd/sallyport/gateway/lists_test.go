// Tests of list files in a running gateway: they are watched and put in force or refused as a
// whole, and others must not be able to change them.

package gateway

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/rules"
)

// newListScene returns a running gateway whose client has the list allow.txt.
func newListScene(t *testing.T) *profileScene {
	s := &profileScene{t: t, dir: t.TempDir()}
	head, _, _ := strings.Cut(profilesSite, "[profiles]")
	s.put("sallyport.toml", head+`[[client]]
name     = "server"
sources  = ["10.77.0.10"]
profiles = []
[[rule]]
id       = "partners"
client   = "server"
reason   = "INC-7"
tcp      = [443]
to_files = ["lists/allow.txt"]
`)
	s.put("lists/..2026_1/allow.txt", "one.backup.example\n")
	s.link("lists/..data", "..2026_1")
	s.link("lists/allow.txt", "..data/allow.txt")
	s.g, s.log = openGateway(t, filepath.Join(s.dir, "sallyport.toml"))
	ctx := t.Context()
	done := make(chan struct{})
	go func() { defer close(done); s.g.watch(ctx) }()
	t.Cleanup(func() { <-done })
	return s
}

func TestListFilesAreWatched(t *testing.T) {
	s := newListScene(t)
	s.permits("one.backup.example")

	s.put("lists/..2026_2/allow.txt", "# new\ntwo.backup.example\n*.backup.example\n")
	s.link("lists/..data", "..2026_2") // as Kubernetes replaces the files of a ConfigMap
	s.logged("reloaded")
	s.permits("one.backup.example", "two.backup.example", "three.backup.example")

	// An editor that empties the file before it writes, and a wrong line, change nothing.
	s.put("lists/..2026_2/allow.txt", "")
	s.logged("reload refused")
	s.put("lists/..2026_2/allow.txt", "one.backup.example\nno name\n")
	s.logged(`lists/allow.txt:2: \"no name\" has a space in it: write one destination a line`)
	s.permits("one.backup.example", "two.backup.example", "three.backup.example")

	s.put("lists/..2026_2/allow.txt", "three.backup.example\n")
	s.logged("reloaded")
	s.permits("three.backup.example")
	if err := os.Remove(filepath.Join(s.dir, "lists/allow.txt")); err != nil {
		t.Fatal(err)
	}
	s.logged("no such file or directory")
	s.permits("three.backup.example")
}

// Users who may write a list could permit anything.
func TestListFilesAreGuarded(t *testing.T) {
	s := newListScene(t)
	real := filepath.Join(s.dir, "lists/..2026_1/allow.txt")
	s.must(os.Chmod(real, 0o666))
	cfg, _, err := LoadConfig(filepath.Join(s.dir, "sallyport.toml"), nil)
	s.must(err)
	got := ThisKeeper().CheckPermissions(cfg, filepath.Join(s.dir, "sallyport.toml"))
	if !slices.ContainsFunc(got, func(p rules.Problem) bool { return !p.Warning && strings.Contains(p.Text, "allow.txt") }) {
		t.Errorf("a list that everybody may write: %v", got)
	}
}

// The records name the entry that permits.
func TestRecordsNameTheEntry(t *testing.T) {
	s := newListScene(t)
	name, err := rules.ParseName("one.backup.example")
	s.must(err)
	a := rules.Attempt{Via: rules.ViaConnect, Proto: rules.TCP, Client: netip.MustParseAddrPort("10.77.0.10:40000"), Authority: name, Dest: netip.AddrPortFrom(netip.Addr{}, 443), Provisional: true}
	if got := rules.RuleSource(a, s.g.live.Policy().Decide(a)); got != "INC-7, "+filepath.Join(s.dir, "lists/allow.txt")+":1" {
		t.Errorf("source %q", got)
	}
}
