//go:build linux

// Tests of TPROXY in the kernel: packets arrive at transparent sockets with their
// addresses unchanged, the routes can be added twice, and without routes, without a
// listener or without a client nothing gets out.

package nftables

import (
	"context"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// tproxySite is filterSite with TPROXY instead of REDIRECT.
func tproxySite(listeners string) string {
	return strings.Replace(filterSite, `transparent = ["[::]:3129"]`, "tproxy = ["+listeners+"]", 1)
}

// serveTransparent answers on connections, whatever their destination is, with the
// address that they were headed to.
func (n *namespace) serveTransparent(address string) net.Listener {
	n.t.Helper()
	var l net.Listener
	err := n.as(0, func() (err error) {
		lc := net.ListenConfig{Control: func(network, _ string, raw syscall.RawConn) (err error) {
			level, option := unix.SOL_IP, unix.IP_TRANSPARENT
			if strings.HasSuffix(network, "6") {
				level, option = unix.SOL_IPV6, unix.IPV6_TRANSPARENT
			}
			_ = raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, 1) })
			return err
		}}
		l, err = lc.Listen(context.Background(), "tcp", address)
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerConn(c, c.LocalAddr().String())
		}
	}()
	return l
}

// routes runs the commands of nft --routes.
func (n *namespace) routes(config string) {
	n.t.Helper()
	n.must("sh", "-c", printedRoutes(n.t, config))
}

// mustMiss checks for which families the routes are reported as missing.
func (n *namespace) mustMiss(config string, families ...string) {
	n.t.Helper()
	cfg := siteConfig(n.t, "c.toml", config)
	missing := missingRoutes(cfg.Listen, cfg, int(n.file.Fd()))
	for i, err := range missing {
		if i >= len(families) || err.Error() != "tproxy: no "+families[i]+" connection arrives, because the routes for TPROXY are missing: sallyport nft --routes --config c.toml | sh" {
			n.t.Errorf("missing: %v, want %q", err, families)
		}
	}
	if len(missing) != len(families) {
		n.t.Errorf("missing: %v, want %q", missing, families)
	}
}

func TestGatewayTPROXY(t *testing.T) {
	needsRootAndNft(t)
	for _, listeners := range []string{`"[::]:3130"`, `"127.0.0.1:3130", "[::1]:3130"`} {
		t.Run(listeners, func(t *testing.T) {
			client, gw, internet := newRouted(t)
			for address := range strings.SplitSeq(strings.ReplaceAll(listeners, `"`, ""), ", ") {
				gw.serveTransparent(address)
			}
			gw.serve("udp", ":5300", "filter")
			gw.serve("tcp", ":5300", "filter")
			gw.serve("tcp", ":22", "ssh")
			config := tproxySite(listeners)
			file := rulesetOf(t, config)
			gw.must("nft", "-f", file)

			// Without the routes the kernel drops marked packets: it forwards no packet that has a socket.
			internet.arrived()
			client.expect(0, `
				tcp - 93.184.0.1:443        nothing
				tcp - [2a00:1450::1]:443    nothing`)
			if n := internet.arrived(); n != 0 {
				t.Errorf("without routes %d packets got out", n)
			}
			gw.mustMiss(config, "IPv4", "IPv6")
			gw.routes(config)
			gw.routes(config) // changes nothing
			gw.mustMiss(config)
			gw.must("ip", "-6", "rule", "del", "priority", "10")
			gw.mustMiss(config, "IPv6")
			gw.routes(config)
			gw.must("ip", "-4", "route", "flush", "table", "21359")
			gw.mustMiss(config, "IPv4")
			gw.mustMiss(strings.Replace(config, "[listen]", "[listen]\ntransparent = [\"[::]:3129\"]", 1)) // perhaps not used
			gw.routes(config)
			for _, family := range []string{"-4", "-6"} {
				if out, err := gw.run("ip", family, "rule", "show", "priority", "10"); err != nil || strings.Count(out, "lookup 21359") != 1 {
					t.Errorf("ip %s rule: %v\n%s", family, err, out)
				}
			}
			client.expect(0, `
				tcp -          93.184.0.1:443          93.184.0.1:443
				tcp -          93.184.0.1:3130         93.184.0.1:3130
				tcp -          93.184.0.1:22           93.184.0.1:22
				tcp 10.77.0.11 93.184.0.1:9999         93.184.0.1:9999
				tcp -          93.184.0.99:853         93.184.0.99:853
				tcp -          10.200.0.1:5432         10.200.0.1:5432
				tcp -          [2a00:1450::1]:443      [2a00:1450::1]:443
				tcp -          [2a00:1450::1]:25       [2a00:1450::1]:25
				tcp -          10.77.0.1:22            ssh
				udp -          8.8.8.8:53              filter
				tcp -          8.8.8.8:53              filter
				udp -          10.77.0.1:53            filter
				tcp -          [2a00:1450::1]:53       filter
				udp -          [2a00:1450::1]:53       filter
				tcp 10.77.0.12 93.184.0.1:853          nothing
				udp -          93.184.0.1:443          prohibited
				udp -          93.184.0.1:853          nothing
				udp -          93.184.0.1:9999         nothing
				udp 10.77.0.11 93.184.0.51:514         nothing
				tcp fd77::11   [2a00:1450::1]:443      nothing`)
			if n := internet.arrived(); n != 0 {
				t.Errorf("%d packets got past the filter", n)
			}
		})
	}
}

// An open connection survives a reload of the ruleset. Without a listener nothing gets
// out, and the packets are counted.
func TestTPROXYReloadAndDeath(t *testing.T) {
	needsRootAndNft(t)
	client, gw, internet := newRouted(t)
	l := gw.serveTransparent("[::]:3130")
	gw.serve("udp", ":5300", "filter")
	config := tproxySite(`"[::]:3130"`)
	gw.must("nft", "-f", rulesetOf(t, config))
	gw.routes(config)
	c, err := client.dial(0, "tcp", "", "93.184.0.1:443", patient)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	gw.must("nft", "-f", rulesetOf(t, config))
	for range 2 {
		if got := outcome(askOn(c, patient)); got != "93.184.0.1:443" {
			t.Errorf("after a reload of the ruleset: %s", got)
		}
	}
	internet.arrived()
	gw.must("nft", "-f", rulesetOf(t, strings.ReplaceAll(config, "10.77.0.10", "10.77.9.10")+"\n")) // the next client takes the address
	if got := outcome(askOn(c, patient)); got != "93.184.0.1:443" {
		t.Errorf("as another client: %s", got)
	}
	l.Close()
	client.expect(0, `
		tcp - 93.184.0.1:9999       nothing
		tcp - [2a00:1450::1]:443    nothing`)
	if n := internet.arrived(); n != 0 || gw.counters("inet", "sallyport")["drop_tcp"] == 0 {
		t.Errorf("%d packets got out", n)
	}
}

// A host behind the gateway that is no client gets no connection, not even to the
// port of the listener.
func TestTPROXYServesClientsOnly(t *testing.T) {
	needsRootAndNft(t)
	client, gw, internet := newRouted(t)
	gw.serveTransparent("[::]:3130")
	config := strings.ReplaceAll(tproxySite(`"[::]:3130"`), "10.77.0.0/24", "10.77.7.0/24")
	gw.must("nft", "-f", rulesetOf(t, config))
	gw.routes(config)
	internet.arrived()
	client.expect(0, `
		tcp 10.77.0.11 93.184.0.1:443          nothing
		tcp 10.77.0.11 93.184.0.1:3130         nothing`)
	if n := internet.arrived(); n != 0 || gw.counters("inet", "sallyport")["drop_unknown_client"] == 0 {
		t.Errorf("%d packets got out", n)
	}
}

func printedRoutes(t *testing.T, config string) string {
	t.Helper()
	plan, err := planOf(t, config)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := plan.RenderRoutes(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
