package main

import (
	"slices"
	"strings"
	"testing"
)

// Two front ends cannot share an address: check reports it with the lines.
func TestListenersOfTwoFrontEnds(t *testing.T) {
	for _, c := range []struct{ listen, want string }{
		{"http = [\"127.0.0.1:3128\"]\nsocks5 = [\"0.0.0.0:3128\"]\n", "standard input:2: http: 127.0.0.1:3128 cannot be bound: 0.0.0.0:3128 of socks5 already covers every address with that port; choose another port"},
		{"http = [\"[::]:3128\"]\nsocks5 = [\"127.0.0.1:3128\"]\n", "standard input:3: socks5: 127.0.0.1:3128 cannot be bound: [::]:3128 of http already covers"},
		{"http = [\"[::]:3128\"]\nadmin = \"[::1]:3128\"\n", "standard input:3: admin: [::1]:3128 cannot be bound: [::]:3128 of http already covers"},
		{"http = [\"0.0.0.0:3128\"]\nsocks5 = [\"[::]:3128\"]\n", ""},
		{"http = [\"0.0.0.0:3128\", \"127.0.0.1:3128\"]\nsocks5 = [\"[::]:3128\", \"[::1]:3128\"]\n", ""},
		{"http = [\"[::1]:3128\"]\nsocks5 = [\"0.0.0.0:3128\"]\n", ""},
	} {
		code, out, diag := command(t, "[listen]\n"+c.listen+nftClient+"[dns]\nupstreams = [\"udp://192.0.2.53\"]\n", "check", "--config", "-")
		if (code == 0) != (c.want == "") || !strings.Contains(out+diag, c.want) {
			t.Errorf("%q: exit %d\n%s%s", c.listen, code, out, diag)
		}
	}
}

// The socket units list only addresses that systemd can bind.
func TestSocketUnitsOfOnePort(t *testing.T) {
	const config = `
[listen]
http = ["0.0.0.0:3128", "[::]:3128", "127.0.0.1:3128"]
dns  = ["0.0.0.0:53", "127.0.0.1:53", "[::1]:5300", "[::]:5300"]
`
	_, out, _ := command(t, config, "sockets", "--config", "-")
	var got []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "Listen") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{"ListenStream=0.0.0.0:3128", "ListenStream=0.0.0.0:53", "ListenStream=[::]:5300",
		"ListenDatagram=0.0.0.0:53", "ListenDatagram=127.0.0.1:53", "ListenDatagram=[::1]:5300", "ListenDatagram=[::]:5300"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
