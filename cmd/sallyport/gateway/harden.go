// Harden: gives up the privileges and files that a started gateway does not need.

package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sallyport/cmd/sallyport/confine"
	"sallyport/cmd/sallyport/nftables"
	"sallyport/denials/journal"
	"sallyport/rules/site"
)

// noMPTCP is the step that checks for MPTCP, which Landlock's TCP rules do not
// cover.
const noMPTCP = "no_mptcp"

// Harden gives up the privileges and files that g does not need once its
// listeners and files are open. If a step fails, Harden returns an error,
// unless the configuration tolerates that. Afterwards the process can open only
// the files that keeps lists.
func (g *Gateway) Harden() error {
	cfg := g.booted
	zone, _ := time.Now().Zone() // read now: its file cannot be read later
	g.log.Debug("hardening begins", "time_zone", zone)
	if cfg.Process.Hardening == "off" {
		g.confined = confine.Skipped()
	} else {
		g.confined = confine.Apply(keeps(g.source.file, cfg, g.packets))
	}
	g.hardening = append(slices.Clone(g.confined.Steps), mptcpStep(g.sockets))
	g.noteRawSockets()
	var failed []error
	for _, s := range g.hardening {
		switch s.State {
		case confine.Failed:
			failed = append(failed, errors.New(s.String()))
			g.log.Warn("hardening: a step failed", "step", s.Name, "why", s.Detail)
		case confine.Absent:
			g.log.Warn("hardening: this kernel does not support a step", "step", s.Name, "why", s.Detail)
		}
	}
	switch {
	case cfg.Process.Hardening == "off":
		g.log.Warn(`hardening is off: the process keeps all its privileges; [process] hardening = "required" turns it on`)
	case os.Geteuid() == 0:
		g.log.Warn("this process runs as root, which owns many files of this host: run sallyport as a user of its own", "landlock_files", string(g.confined.State(confine.Files)))
	}
	if err := errors.Join(failed...); err != nil && cfg.Process.Hardening != "best-effort" {
		return fmt.Errorf("hardening failed:\n%w\ncorrect that, or start with less hardening: [process] hardening = \"best-effort\"", err)
	}
	return nil
}

// noteRawSockets adds to the step about capabilities what was opened with one and stays
// open.
func (g *Gateway) noteRawSockets() {
	for i := range g.hardening {
		if s := &g.hardening[i]; s.Name == confine.Capabilities && s.State == confine.On && len(g.sockets.tproxyUDP) > 0 {
			s.Detail += "; the raw sockets for the replies of [listen] tproxy stay open"
		}
	}
}

// keeps returns the files and privileges that a running gateway needs.
func keeps(file string, cfg *site.Config, filter PacketFilter) confine.Plan {
	plan := confine.Plan{NetAdmin: filter.LiveSets, Files: []confine.Grant{{Path: "/proc/self", Access: confine.List}}} // /metrics lists the open descriptors
	if _, err := os.Stat("/proc/stat"); err == nil {
		plan.Files = append(plan.Files, confine.Grant{Path: "/proc/stat", Access: confine.Read})
	}
	keep := func(grants ...confine.Grant) { plan.Files = append(plan.Files, grants...) }
	for _, dir := range confine.ListAgain(filepath.Dir(file)) {
		if file != "" && file != "-" {
			keep(dir) // a later configuration may name a directory of profiles here
		}
	}
	for _, in := range cfg.Inputs {
		if in.Dir {
			keep(confine.ListAgain(in.Path)...)
		} else {
			keep(confine.ReadAgain(in.Path)...)
		}
	}
	for _, path := range []string{file, filter.Counters} {
		if path != "" && path != "-" {
			keep(confine.ReadAgain(path)...)
		}
	}
	if asksSystem(cfg) {
		// The programs that maintain this file replace it, or change the link. A
		// grant for the file would cover only the file of the start, so the grant
		// is for the directory /etc.
		keep(confine.ReadAgain(ResolvConf)...)
		for _, dir := range resolvConfWriters {
			if _, err := os.Stat(dir); err == nil {
				keep(confine.Grant{Path: dir, Access: confine.Read})
			}
		}
	}
	for _, path := range []string{cfg.Journal.Path, cfg.Journal.Flows, journal.UsagePath(cfg.Journal.Path), nftables.LedgerPath(cfg.Journal.Path)} {
		if path != "" && path != "-" {
			keep(confine.WriteAgain(path)...)
		}
	}
	if path, ok := strings.CutPrefix(cfg.Listen.Admin, "unix:"); ok {
		keep(confine.RemoveLater(path)...)
	}
	return plan
}

// asksSystem reports whether an upstream is "system".
func asksSystem(cfg *site.Config) bool {
	for _, z := range cfg.DNS.Zones {
		if slices.Contains(z.Upstreams, "system") {
			return true
		}
	}
	return slices.Contains(cfg.DNS.Upstreams, "system")
}

// mptcpStep checks the protocol of every listener, also of inherited ones.
func mptcpStep(socks *Sockets) confine.Step {
	for _, l := range socks.all() {
		if l.Addr().Network() == "unix" {
			continue
		}
		protocol, err := protocolOf(l)
		if err == nil && protocol != unix.IPPROTO_TCP {
			err = fmt.Errorf("protocol %d is not TCP", protocol)
		}
		if err != nil {
			return confine.Step{Name: noMPTCP, State: confine.Failed, Detail: fmt.Sprintf("listener %v: %v", l.Addr(), err)}
		}
	}
	return confine.Step{Name: noMPTCP, State: confine.On}
}

// protocolOf asks the kernel for a listener's protocol.
func protocolOf(l net.Listener) (protocol int, err error) {
	c, ok := l.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("%T is no socket", l)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	if e := raw.Control(func(fd uintptr) { protocol, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL) }); e != nil {
		return 0, e
	}
	return protocol, err
}

// outside adds the reason to an error about a file that the hardening keeps from
// being opened: at the start, the configuration did not name the directory of that
// file. It also explains the error if this process is root without capabilities.
func (g *Gateway) outside(err error) error {
	if cure := g.confinedCure(err); cure != "" {
		return fmt.Errorf("%w: %s", err, cure)
	}
	return err
}

// confinedCure returns what outside adds to an error; "" if it adds nothing.
func (g *Gateway) confinedCure(err error) string {
	var at *fs.PathError
	switch {
	case !errors.As(err, &at) || !errors.Is(at.Err, syscall.EACCES):
		return ""
	case !g.confined.Covers(at.Path):
		return "this needs a restart, because the hardening lets this process open only the files that the configuration named at its start"
	case os.Geteuid() == 0 && g.confined.State(confine.Capabilities) == confine.On:
		return "this process is root without capabilities, so the mode of the file must let root read the file"
	}
	return ""
}

// describeHardening returns the result of every step in one line.
func describeHardening(steps []confine.Step) string {
	var parts []string
	for _, state := range []confine.State{confine.On, confine.Absent, confine.Failed, confine.Off} {
		var names []string
		for _, s := range steps {
			if s.State == state {
				names = append(names, s.Name)
			}
		}
		if len(names) > 0 {
			parts = append(parts, string(state)+": "+strings.Join(names, ", "))
		}
	}
	return strings.Join(parts, "; ")
}
