//go:build linux

// System servers: upstream "system" while DHCP or a VPN replaces resolv.conf, under
// Landlock, for a user of its own and for root.

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// systemServersScript runs in a mount namespace whose /etc and /run are empty. The
// system's first server does not answer. Then a file with a server that answers is
// renamed over the target of the link. Then the link is turned to the directory of
// another program, whose server does not answer. At last a plain file with the good
// server replaces the link. The script prints the results of the queries.
const systemServersScript = `
set -e
mount -t tmpfs etc /etc; mount -t tmpfs run /run; mkdir -p /run/systemd/resolve /run/NetworkManager "$2/j"
echo 'nameserver 127.0.0.99' >/run/systemd/resolve/resolv.conf
ln -s ../run/systemd/resolve/resolv.conf /etc/resolv.conf
cat >/etc/passwd <<P
root:x:0:0::/:/bin/sh
nobody:x:65534:65534::/:/bin/sh
P
cat >"$2/s.toml" <<C
[listen]
dns = ["127.0.0.1:5300"]
[[client]]
name = "lab"
sources = ["127.0.0.0/8"]
profiles = []
[[rule]]
id = "r"
client = "lab"
to = ["*.lab.example"]
tcp = [443]
reason = "test"
[dns]
upstreams = ["system"]
[journal]
path = "$2/j/d.jsonl"
C
chmod 755 "$2"; chown -R "$3:$3" "$2/j"
setpriv --reuid "$3" --clear-groups "$1" run --config "$2/s.toml" >"$2/log" 2>&1 &
trap 'kill $! || :; wait $! || :; cat "$2/log"' EXIT
ask() { dig @127.0.0.1 -p 5300 +tries=1 +time=4 +noall +comments "$1" A | grep -o 'status: [A-Z]*' || echo 'status: none'; }
becomes() { for i in $(seq 40); do s=$(ask "$2$i.lab.example"); [ "$s" = "$1" ] && break; sleep .3; done; echo "$2 $s"; }
becomes 'status: SERVFAIL' dead
echo 'nameserver 127.0.0.53' >/run/systemd/resolve/new; mv /run/systemd/resolve/new /run/systemd/resolve/resolv.conf
becomes 'status: NOERROR' renamed
echo 'nameserver 127.0.0.99' >/run/NetworkManager/resolv.conf
ln -s /run/NetworkManager/resolv.conf /etc/new; mv -T /etc/new /etc/resolv.conf
becomes 'status: SERVFAIL' turned
echo 'nameserver 127.0.0.53' >/etc/new; mv /etc/new /etc/resolv.conf
becomes 'status: NOERROR' plain
kill -HUP $!
becomes 'status: NOERROR' hangup
`

// TestSystemServersChange asserts that sallyport uses the system's new servers
// within seconds, without a signal, and that a signal still works.
func TestSystemServersChange(t *testing.T) {
	need(t, "dig", "setpriv", "unshare", "bash")
	for user, uid := range map[string]string{"nobody": "65534", "root": "0"} {
		t.Run(user, func(t *testing.T) {
			n := newNetns(t, "system-"+user)
			serveDNS(t, n, book{}, "127.0.0.53:53")
			binary := builtBinary(t)
			dir := t.TempDir()
			for _, d := range []string{dir, filepath.Dir(dir), workDir} { // so that the user "nobody" can enter the directory
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			r := n.run(t, dir, "", "unshare", "-m", "bash", "-c", systemServersScript, "script", binary, dir, uid)
			for _, line := range []string{"dead status: SERVFAIL", "renamed status: NOERROR", "turned status: SERVFAIL", "plain status: NOERROR", "hangup status: NOERROR"} {
				if !strings.Contains(r.stdout, line+"\n") {
					t.Errorf("want %q", line)
				}
			}
			if strings.Contains(r.stdout, "reload refused") || !strings.Contains(r.stdout, "landlock_files") {
				t.Error("a reload was refused, or nothing was given up")
			}
			if t.Failed() {
				t.Log(r)
			}
		})
	}
}
