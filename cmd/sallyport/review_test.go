// Review, end to end: a client is denied, the CLI and the page name cause and cure,
// and after the cure and a reload only that client passes.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/denials/journal"
)

// reviewed is the site. Every destination leads to a port of this host where no
// server listens. So a permitted request ends in 502 and a denied one in 403.
const reviewed = `
[listen]
http  = ["%s"]
admin = "unix:%s"

[[client]]
name     = "agent" # the one that asks
sources  = ["127.0.0.1"]
profiles = ["endpoint-secure-onprem"]
role     = "agent"

[[client]]
name     = "manager"
sources  = ["127.0.0.2"]
profiles = ["endpoint-secure-onprem"]

[[client]]
name     = "saas"
sources  = ["127.0.0.3"]
profiles = ["endpoint-secure-saas"]

[[rule]]
id      = "gone"
client  = "manager"
to      = ["gone.example"]
tcp     = [8443]
reason  = "a migration"
expires = 2020-01-01

[[rule]]
id     = "syslog"
client = "manager"
to     = ["syslog.example"]
udp    = [514]
reason = "the log server takes datagrams"

[process]
hardening = "off" # this process is the tests', too

[dns]
upstreams = ["udp://127.0.0.1:1"]
[hosts]
"auth.sangfor.com"       = "127.0.0.99"
"license.sangfor.com"    = "127.0.0.99"
"download.sangfor.com.cn" = "127.0.0.99"
"gone.example"           = "127.0.0.99"
"wsus.example"           = "127.0.0.99"
"syslog.example"         = "127.0.0.99"
[resolve]
private = ["127.0.0.99"]
[journal]
path = "denials.jsonl"
[limits]
drain = "0s"
`

// A reviewCase is a denial with the kind of change that permits it. The change must
// not permit other.
type reviewCase struct{ reason, cure, from, dest, other string }

func reviewCases() []reviewCase {
	return []reviewCase{
		{"feature_off", "feature", "127.0.0.2", "auth.sangfor.com:443", "wsus.example:443"},
		{"version_excluded", "binding", "127.0.0.3", "download.sangfor.com.cn:443", "wsus.example:443"},
		{"expired", "rule", "127.0.0.2", "gone.example:8443", "gone.example:8444"},
		{"port_not_listed", "rule", "127.0.0.2", "license.sangfor.com:8443", "license.sangfor.com:8444"},
		{"protocol_not_listed", "rule", "127.0.0.2", "syslog.example:514", "syslog.example:515"},
		{"role_not_listed", "rule", "127.0.0.1", "license.sangfor.com:443", "auth.sangfor.com:443"},
		{"ip_literal", "binding", "127.0.0.1", "127.0.0.99:443", "127.0.0.98:443"},
		{"ip_literal", "rule", "127.0.0.2", "127.0.0.99:8443", "127.0.0.99:8444"},
		{"not_listed", "rule", "127.0.0.2", "wsus.example:8530", "wsus.example:8531"},
		{"unknown_client", "binding", "127.0.0.9", "license.sangfor.com:443", "wsus.example:443"},
	}
}

// changed returns the configuration that suggest --whole proposes. If it asks who an
// address is, changed answers as an operator would.
func (c reviewCase) changed(t *testing.T, file, host string, asks bool) string {
	t.Helper()
	proposed := cli(t, "denials", "suggest", "--config", file, "--whole", "--host", host, "--client", c.from, "--reason", c.reason)
	if !bytes.Contains(proposed, []byte("# the one that asks")) {
		t.Errorf("a comment is lost:\n%s", proposed)
	}
	if !asks {
		return strings.ReplaceAll(string(proposed), "FILL IN", "INC-1") // a person fills it in
	}
	if after := deniedAs(t, proposed, c.from, c.dest); !strings.HasPrefix(after, "deny") {
		t.Errorf("permitted before the question was answered: %s", after)
	}
	return string(answered(proposed))
}

// The test takes every reason that a change of the configuration can permit: from
// the denial, over the suggested change, to the permitted flow.
func TestReviewEndsInAPermittedFlow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	proxy := freeAddress(t)
	file := filepath.Join(dir, "site.toml")
	write := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file)); err != nil { // in one step: the gateway reads the file meanwhile
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf(reviewed, proxy, filepath.Join(dir, "admin"))
	write(text)
	ctx, cancel := context.WithCancel(t.Context())
	ended := serveSite(ctx, t, file)
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ends with %v", err)
		}
		if _, err := journal.ReadUsage(filepath.Join(dir, "denials.jsonl.usage.json")); err != nil {
			t.Errorf("usage is not kept: %v", err)
		}
	}()

	for _, c := range reviewCases() {
		t.Run(c.reason+" "+c.cure, func(t *testing.T) {
			write(text)
			waitStatus(t, proxy, c.from, c.dest, http.StatusForbidden)
			host, _, _ := net.SplitHostPort(c.dest)
			var s struct {
				Cure, TOML string
				Verified   bool
				Asks       bool
				Groups     []struct{ Reason string }
			}
			var line []byte
			waitFor(t, "the denial is in the journal", func() bool {
				line = cli(t, "denials", "suggest", "--config", file, "--json", "--host", host, "--client", c.from, "--reason", c.reason)
				return len(line) > 0
			})
			if err := json.Unmarshal(bytes.SplitN(line, []byte("\n"), 2)[0], &s); err != nil || s.Cure != c.cure || !s.Verified || s.Groups[0].Reason != c.reason {
				t.Fatalf("%v: %s", err, line)
			}
			var r struct{ Nearest, Hint string }
			listed := cli(t, "denials", "list", "--config", file, "--json", "--host", host, "--client", c.from, "--reason", c.reason)
			if err := json.Unmarshal(bytes.SplitN(listed, []byte("\n"), 2)[0], &r); err != nil || r.Nearest+r.Hint == "" || s.TOML == "" {
				t.Fatalf("no cause or no cure: %v: %s, %s", err, listed, line)
			}
			var shown string
			waitFor(t, "the file is in force, and the page tries the change out on it", func() bool {
				shown = onPage(t, filepath.Join(dir, "admin"), url.Values{"reason": {c.reason}, "host": {host}, "client": {c.from}})
				return strings.Contains(shown, "the change permits this group")
			})
			for _, want := range []string{c.reason, c.cure, r.Nearest, r.Hint, s.TOML} {
				if !strings.Contains(shown, strings.Join(strings.Fields(want), " ")) {
					t.Errorf("the page does not show %q:\n%s", want, shown)
				}
			}
			write(c.changed(t, file, host, s.Asks))
			waitStatus(t, proxy, c.from, c.dest, http.StatusBadGateway)
			if got := status(t, proxy, c.from, c.other); got != http.StatusForbidden {
				t.Errorf("%s passes too: %d", c.other, got)
			}
			if err := os.Truncate(filepath.Join(dir, "denials.jsonl"), 0); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// deniedAs returns the first line of explain's answer for a configuration.
func deniedAs(t *testing.T, config []byte, from, dest string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "proposed.toml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(dest)
	var out bytes.Buffer
	execute(t.Context(), []string{"explain", "--config", file, "--from", from, "tcp", host, port}, strings.NewReader(""), &out, io.Discard)
	first, _, _ := strings.Cut(out.String(), "\n")
	return first
}

// answered removes the # of the lines below each question, as an operator does who
// has the answer. If a key was set already, it removes the earlier line.
func answered(config []byte) []byte {
	lines := strings.Split(string(config), "\n")
	asked := false
	for i, l := range lines {
		rest, comment := strings.CutPrefix(l, "# ")
		switch {
		case strings.HasPrefix(rest, "who is this? ") || strings.HasPrefix(rest, "was this port moved? ") || strings.HasPrefix(rest, "is the version of "):
			asked = true
			if strings.Contains(rest, "put this in place of ") {
				lines[i-1] = ""
			}
		case asked && comment:
			lines[i] = strings.Replace(rest, "FILL IN: the version of saas, below 6.0.4", "6.0.3", 1)
		default:
			asked = false
		}
	}
	return []byte(strings.Join(lines, "\n"))
}
