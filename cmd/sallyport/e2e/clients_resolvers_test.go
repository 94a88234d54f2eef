//go:build linux

// Resolvers: programs that send DNS queries, and resolvers between such programs and
// sallyport.

package e2e

import "os"

// behind starts a resolver in the background, waits until it answers, sends it the
// queries and ends it. The resolver listens on port 5454 of loopback.
func behind(config, start string) string {
	return config + "\n" + start + ` >log 2>&1 & server=$!
for try in $(seq 100); do dig +noedns +time=1 +tries=1 -p 5454 @127.0.0.1 localhost >/dev/null 2>&1 && break; kill -0 $server || break; done
dig +noedns +time=15 +tries=1 -p 5454 @127.0.0.1 "$HOST" A
cat log >&2
kill $server; wait $server 2>/dev/null`
}

// resolvedProgram returns the path of systemd-resolved. SALLYPORT_E2E_RESOLVED
// names a program that is unpacked but not installed, because its installation
// replaces /etc/resolv.conf.
func resolvedProgram() string {
	if path := os.Getenv("SALLYPORT_E2E_RESOLVED"); path != "" {
		return path
	}
	return "/usr/lib/systemd/systemd-resolved"
}

// dnsPrograms look up addresses. They do not validate, because the lab's names are not
// signed.
func dnsPrograms() []program {
	const (
		unbound = `cat >conf <<END
server:
  interface: 127.0.0.1
  port: 5454
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "$HOME"
  pidfile: ""
  use-syslog: no
  log-queries: yes
  do-not-query-localhost: no
  harden-below-nxdomain: yes
forward-zone:
  name: "."
  forward-addr: $GATE
remote-control:
  control-enable: no
END`
		named = `cat >conf <<END
options {
  directory "$HOME"; pid-file "$HOME/pid"; session-keyfile "$HOME/key"; lock-file none;
  listen-on port 5454 { 127.0.0.1; }; listen-on-v6 { none; };
  forward only; forwarders { $GATE; };
  dnssec-validation no;
};
controls { };
END`
		resolved = `cat >conf <<END
[Resolve]
DNS=$GATE
Domains=~.
FallbackDNS=
DNSSEC=no
LLMNR=no
MulticastDNS=no
DNSStubListener=no
DNSStubListenerExtra=127.0.0.1:5454
END`
		// It uses fixed system directories. A mount namespace replaces them.
		separate = `unshare --map-current-user --keep-caps --mount sh -c 'mount -t tmpfs none /run/systemd && mkdir -p /run/systemd/resolve/netif &&
mount -t tmpfs none /etc/systemd && cp conf /etc/systemd/resolved.conf && exec "$RESOLVED"'`
	)
	return []program{
		{name: "dig", needs: []string{"dig"}, note: "prints the extended error", trip: map[front]string{asked: `dig +time=5 +tries=1 "@$GATE" "$HOST" A`}},
		{name: "dig +tcp", needs: []string{"dig"}, trip: map[front]string{asked: `dig +tcp +time=5 +tries=1 "@$GATE" "$HOST" A`}},
		{name: "delv", needs: []string{"delv"}, note: "`-i`: without validation", trip: map[front]string{asked: `delv -i "@$GATE" "$HOST" A`}},
		{name: "Unbound", needs: []string{"unbound", "dig"}, note: "a forwarder, asked by dig; `harden-below-nxdomain: yes`", trip: map[front]string{asked: behind(unbound, "unbound -d -c conf")}},
		{name: "BIND", needs: []string{"named", "dig"}, note: "a forwarder, asked by dig; `forward only`, `dnssec-validation no`", trip: map[front]string{asked: behind(named, "named -g -c conf")}},
		{name: "dnsmasq", needs: []string{"dnsmasq", "dig"}, note: "a forwarder, asked by dig", trip: map[front]string{
			asked: behind("", `dnsmasq -k --conf-file=/dev/null --pid-file= --port=5454 --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --server="$GATE"`)}},
		{name: "systemd-resolved", needs: []string{resolvedProgram(), "dig"}, note: "asked by dig; `DNSSEC=no`", trip: map[front]string{asked: behind(resolved, separate)}},
	}
}
