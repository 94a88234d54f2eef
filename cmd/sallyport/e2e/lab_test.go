//go:build linux

// Lab: clients -- gateway -- internet, three namespaces joined by two cables.

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The addresses of the lab. The clients' side is private; the internet's side
// uses ranges that are public elsewhere and local to the namespace here,
// because documentation ranges would rightly be refused.
const (
	gateway4  = "10.77.0.1"
	gateway6  = "fd77::1"
	resolver4 = "45.83.0.1"
	resolver6 = "2a0d:5600::1"
	outside4  = "45.83.0.2" // the gateway's own addresses on the internet's side
)

// internetRoutes are the ranges whose every address is the origin.
var internetRoutes = []string{
	"93.184.0.0/16", "13.94.16.103/32", "121.46.26.221/32", "10.20.0.0/16", // the last one is for a site's servers, which are bound to roles
	"2a00:1450::/32", "fd20::/16",
}

// lab is all of it: the clients, the gateway and the internet.
type lab struct {
	clients, gateway, internet *netns
	dir                        string // scratch, and the home of every client
	ca                         *authority
	book                       book
	rec                        *recorder
	parentFiles                map[string]string // name -> text: for a proxy of the site
}

// newLab builds the lab with its internet. The gateway's namespace does not have a
// gateway process yet.
func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{dir: t.TempDir(), book: make(book)}
	l.clients, l.gateway, l.internet = newNetns(t, "clients"), newNetns(t, "gateway"), newNetns(t, "internet")
	l.gateway.ip(t,
		"link add inside type veth peer name client netns "+l.clients.path(),
		"link add outside type veth peer name net netns "+l.internet.path(),
	)
	l.gateway.sysctl(t, "ipv4/ip_forward", "0")
	l.gateway.sysctl(t, "ipv6/conf/all/forwarding", "0")
	l.gateway.ip(t, "addr add 10.77.0.1/24 dev inside", "addr add fd77::1/64 dev inside nodad",
		"addr add 45.83.0.2/24 dev outside", "addr add 2a0d:5600::2/64 dev outside nodad",
		"link set inside up", "link set outside up",
		"route add default via "+resolver4, "route add default via "+resolver6)
	l.clients.ip(t, clientAddresses()...)
	internet := []string{"addr add 45.83.0.1/24 dev net", "addr add 2a0d:5600::1/64 dev net nodad", "link set net up"}
	for _, route := range internetRoutes {
		internet = append(internet, "route add local "+route+" dev lo")
	}
	l.internet.ip(t, internet...)
	l.book.assign(documentedNames())
	l.site()
	l.ca = newAuthority(t, l.dir)
	l.rec = startRecorder(t, l.internet, "net", l.gateway, resolver4+":9")
	serveDNS(t, l.internet, l.book, resolver4+":53", "["+resolver6+"]:53")
	startOrigin(t, l.internet, l.ca, l.files(t))
	return l
}

// clientAddresses gives the clients' side one address per client. The address
// of es-manager comes first, because it is the source of every tool that cannot
// choose its source.
func clientAddresses() []string {
	lines := []string{"link set client up"}
	for _, c := range append(slices.Clone(fleet), client{name: "unknown", host: unknownHost}) {
		lines = append(lines, fmt.Sprintf("addr add %s/24 dev client", c.v4()), fmt.Sprintf("addr add %s/64 dev client nodad", c.v6()))
	}
	return append(lines, "route add default via "+gateway4, "route add default via "+gateway6)
}

// site adds names that are not in the documents: the site's own, and some that
// resolve to forbidden addresses.
func (l *lab) site() {
	l.book["esm.corp.example"] = addrs("10.20.30.41", "fd20:30::41")
	l.book["sepm.corp.example"] = addrs("93.184.240.1", "2a00:1450:4002::1")
	l.book["cloud.corp.example"] = addrs("93.184.240.2", "2a00:1450:4002::2")
	l.book["shared.evil.example"] = l.book["license.sangfor.com"] // another name on the same address
	l.book["rebind.corp.example"] = addrs("10.20.66.66", "fd20:66::66")
	l.book["loop.corp.example"] = addrs(gateway4)
	l.book["half.corp.example"] = addrs("10.20.66.67", "93.184.240.3")
	// An address of one family is enough, of either family.
	l.book["sp2.sangfor.com"] = l.book["sp2.sangfor.com"][:1]
	l.book["sp3.sangfor.com"] = l.book["sp3.sangfor.com"][1:]
}

func addrs(texts ...string) (as []netip.Addr) {
	for _, s := range texts {
		as = append(as, netip.MustParseAddr(s))
	}
	return as
}

// files makes one repository for apt and one for git.
func (l *lab) files(t *testing.T) string {
	t.Helper()
	root := filepath.Join(l.dir, "www")
	if err := os.MkdirAll(filepath.Join(root, "apt"), 0o755); err != nil {
		t.Fatal(err)
	}
	packages := "Package: from-the-origin\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\n" +
		"Description: a package that only its index knows\nFilename: ./from-the-origin.deb\nSize: 0\n" +
		"SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\n"
	if err := os.WriteFile(filepath.Join(root, "apt", "Packages"), []byte(packages), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("git"); err != nil {
		return root // the tests that use git skip by themselves
	}
	script := `set -e
git init -q -b main work && cd work
echo "fetched through the gate" > README && git add README
git -c user.name=origin -c user.email=origin@example.org commit -q -m origin
cd .. && git clone -q --bare work www/git/repo.git && git -C www/git/repo.git update-server-info`
	if r := l.internet.run(t, l.dir, "", "sh", "-c", script); r.code != 0 {
		t.Fatalf("git repository: %v", r)
	}
	return root
}

// curl runs curl as a client, with a limit of time and without progress.
func (l *lab) curl(t *testing.T, c client, args ...string) result {
	t.Helper()
	base := []string{"-sS", "--max-time", "30", "--cacert", l.ca.file, "--interface", c.v4()}
	return l.clients.run(t, l.dir, "", "curl", append(base, args...)...)
}

// tool runs another client; its source is es-manager unless args choose one.
func (l *lab) tool(t *testing.T, name string, args ...string) result {
	t.Helper()
	return l.clients.run(t, l.dir, "", name, args...)
}

// lines splits a table, comments and empty lines left out.
func lines(table string) (rows []string) {
	for row := range strings.Lines(table) {
		row, _, _ = strings.Cut(row, "#")
		if row = strings.TrimSpace(row); row != "" {
			rows = append(rows, row)
		}
	}
	return rows
}
