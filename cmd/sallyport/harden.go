// Harden: what a started gateway gives up, what it keeps, and how it says so.

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
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

// noMPTCP is the step that Landlock rests on: it knows TCP and not MPTCP.
const noMPTCP = "no_mptcp"

// harden gives up what g does not need now that its listeners and files are
// open. A step that fails keeps it from starting unless the configuration says
// otherwise. What comes after this can open no file that keeps does not list.
func (g *Gateway) harden(socks *sockets, f filterFlags) error {
	cfg := g.booted
	zone, _ := time.Now().Zone() // read now: its file is out of reach then
	g.log.Debug("hardening begins", "time_zone", zone)
	if cfg.Process.Hardening == "off" {
		g.confined = confine.Skipped()
	} else {
		g.confined = confine.Apply(keeps(g.file, cfg, f))
	}
	g.hardening = append(slices.Clone(g.confined.Steps), mptcpStep(socks))
	var failed []error
	for _, s := range g.hardening {
		switch s.State {
		case confine.Failed:
			failed = append(failed, errors.New(s.String()))
			g.log.Warn("hardening: a step failed", "step", s.Name, "why", s.Detail)
		case confine.Absent:
			g.log.Warn("hardening: this kernel cannot do a step", "step", s.Name, "why", s.Detail)
		}
	}
	switch {
	case cfg.Process.Hardening == "off":
		g.log.Warn(`hardening is off: the process keeps all that it was given; [process] hardening = "required" mends it`)
	case os.Geteuid() == 0:
		g.log.Warn("this process runs as root, and many files of this host are root's: run it as a user of its own", "landlock_files", string(g.confined.State(confine.Files)))
	}
	if err := errors.Join(failed...); err != nil && cfg.Process.Hardening != "best-effort" {
		return fmt.Errorf("cannot give up what this process should not have:\n%w\nmend that, or start without: [process] hardening = \"best-effort\"", err)
	}
	return nil
}

// keeps is what a gateway still needs of files and privileges.
func keeps(file string, cfg *site.Config, f filterFlags) confine.Plan {
	plan := confine.Plan{NetAdmin: f.live, Files: []confine.Grant{{Path: "/proc/self", Access: confine.List}}} // for /metrics
	if _, err := os.Stat("/proc/stat"); err == nil {
		plan.Files = append(plan.Files, confine.Grant{Path: "/proc/stat", Access: confine.Read})
	}
	keep := func(grants ...confine.Grant) { plan.Files = append(plan.Files, grants...) }
	for _, path := range []string{file, cfg.Admin.TokenFile, cfg.Admin.TLSCert, cfg.Admin.TLSKey, f.counters} {
		if path != "" && path != "-" {
			keep(confine.ReadAgain(path)...)
		}
	}
	if asksSystem(cfg) {
		// Whatever maintains the file puts another in its place, or turns the link.
		// A grant for the file would be for the one of the start only, so that root
		// may read all of /etc that is root's, too.
		keep(confine.ReadAgain(resolvConf)...)
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

// asksSystem tells whether an upstream is "system".
func asksSystem(cfg *site.Config) bool {
	for _, z := range cfg.DNS.Zones {
		if slices.Contains(z.Upstreams, "system") {
			return true
		}
	}
	return slices.Contains(cfg.DNS.Upstreams, "system")
}

// mptcpStep looks at every listener for itself, inherited ones, too.
func mptcpStep(socks *sockets) confine.Step {
	for _, l := range socks.all() {
		if l.Addr().Network() == "unix" {
			continue
		}
		protocol, err := protocolOf(l)
		if err == nil && protocol != unix.IPPROTO_TCP {
			err = fmt.Errorf("protocol %d is not TCP's", protocol)
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

// outside explains why a file cannot be opened that a changed configuration
// names, or that is in a directory other than the one at the start: it is no
// matter of permissions.
func (g *Gateway) outside(err error) error {
	var at *fs.PathError
	if !errors.As(err, &at) || !errors.Is(at.Err, syscall.EACCES) {
		return err
	}
	if !g.confined.Covers(at.Path) {
		return fmt.Errorf("%w: needs a restart: at its start this process gave up all files but those that the configuration named then", err)
	}
	if os.Geteuid() == 0 && g.confined.State(confine.Capabilities) == confine.On {
		return fmt.Errorf("%w: this process is root without capabilities: the file must permit root to read it", err)
	}
	return err
}

// describeHardening says in one line how every step ended.
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
