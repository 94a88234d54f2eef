// Clients table: real programs, each with every front end that it supports. The
// test records what a permitted trip returns, what a denied trip prints, and
// which of its packets reached the internet. docs/clients.md has the results.

package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/clients.md anew")

// A front is how a program reaches sallyport. It is a column of the table.
type front string

const (
	absolute      front = "HTTP proxy, `http://`"
	connect       front = "HTTP proxy, CONNECT"
	socks         front = "SOCKS5"
	redirected    front = "redirected, `http://`"
	redirectedTLS front = "redirected, `https://`"
	asked         front = "DNS"
)

// allFronts are the columns in their order.
func allFronts() []front { return []front{absolute, connect, socks, redirected, redirectedTLS, asked} }

// via returns the "via" of a denial by this front end. A redirected client gets
// NXDOMAIN from DNS and does not connect.
func (w front) via() string {
	return map[front]string{absolute: "http", connect: "connect", socks: "socks5", redirected: "dns", redirectedTLS: "dns", asked: "dns"}[w]
}

// A program is a row of the table. For each front that it supports, it has a shell
// command that makes one trip. See tripEnvironment for the variables.
type program struct {
	name   string
	needs  []string // the tools that it needs, besides sh
	trip   map[front]string
	brings string // the output of a permitted trip; "": the content of wholeFile
	note   string // for people, below the table
}

// permittedHost serves plain HTTP and TLS, and es-manager may reach both.
const permittedHost = "download.sangfor.com"

// wholeFile is the file that trips fetch. It is longer than one segment, one TLS record
// and one read.
const wholeFile = "/apt/whole.txt"

// wholeText is its content.
func wholeText() string {
	var b strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&b, "line %d of a file that is whole or not\n", i)
	}
	return b.String()
}

// A finding is a cell of the table.
type finding struct {
	program string
	front   front
	text    string
}

// TestClientsTable makes every trip and compares docs/clients.md with the
// results.
func TestClientsTable(t *testing.T) {
	need(t, "nft", "unshare", "setpriv")
	rows := slices.Concat(httpPrograms(), dnsPrograms())
	for _, p := range rows {
		need(t, p.needs...)
	}
	var found []finding
	for _, scene := range []struct {
		name   string
		fronts []front
		start  func(t *testing.T) *scene
	}{
		{"told", []front{absolute, connect, socks, asked}, configuredScene},
		{"redirected", []front{redirected, redirectedTLS}, redirectedScene},
	} {
		t.Run(scene.name, func(t *testing.T) {
			s := scene.start(t)
			s.prepareTrips(t)
			for _, p := range rows {
				for _, w := range scene.fronts {
					if p.trip[w] != "" {
						found = append(found, finding{p.name, w, s.try(t, p, w)})
					}
				}
			}
			s.onlyPermitted(t)
		})
	}
	if t.Failed() || slices.ContainsFunc(found, func(f finding) bool { return f.text == "" }) {
		return // a failed test, or only a part of the table (-run), makes no page
	}
	compareTable(t, rows, found)
}

// configuredScene is a scene whose clients have sallyport configured as proxy and
// resolver.
func configuredScene(t *testing.T) *scene {
	s := newScene(t, "gateway")
	s.lab.gateway.sysctl(t, "ipv4/ip_forward", "0") // no client can bypass sallyport
	s.lab.gateway.sysctl(t, "ipv6/conf/all/forwarding", "0")
	if err := os.WriteFile(s.resolvConf(), []byte("nameserver "+gateway4+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.g = startGateway(t, s.lab, configuration(fleet))
	return s
}

// redirectedScene is a scene whose clients have no configuration for sallyport, the
// gateway.
func redirectedScene(t *testing.T) *scene {
	s := newScene(t, "gateway")
	s.catch(t, fleet)
	return s
}

// prepareTrips writes the file that trips fetch, and the files that programs need.
func (s *scene) prepareTrips(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "www", wholeFile), []byte(wholeText()), 0o644); err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Abs("testdata/clients")
	if err != nil {
		t.Fatal(err)
	}
	script := "cp -R " + scripts + ` scripts && chmod -R a+rX scripts www && if command -v keytool >/dev/null; then
keytool -importcert -noprompt -alias lab -file "$0" -keystore trust.p12 -storetype PKCS12 -storepass lab-only -J-Xshare:auto; chmod a+r trust.p12; fi`
	if r := s.clients.run(t, s.dir, "", "sh", "-e", "-c", script, s.ca.file); r.code != 0 {
		t.Fatalf("%v", r)
	}
}

// try makes a permitted trip and a denied trip, and returns how they ended. If sallyport
// refuses the permitted trip, the journal must have the denial, and the page has it too.
func (s *scene) try(t *testing.T, p program, w front) (text string) {
	t.Helper()
	t.Run(p.name+" "+string(w), func(t *testing.T) {
		want := p.brings
		switch {
		case w == asked:
			want = s.book.of(permittedHost)[0].String()
		case want == "":
			want = strings.TrimSpace(wholeText())
		}
		mark := s.g.journal().mark()
		permitted := "whole"
		if r := s.trip(t, p, w, permittedHost); !strings.Contains(r.stdout, want) {
			refused := s.g.journal().denials(mark)
			if len(refused) == 0 {
				t.Fatalf("the permitted trip did not return the whole file: %s", shortened(r))
			}
			permitted = fmt.Sprintf("refused (`%s`)", refused[0].Reason)
		}
		mark, seen := s.g.journal().mark(), s.rec.mark(t)
		denied := label(p.name) + ".evil.example"
		r := s.trip(t, p, w, denied)
		if strings.Contains(r.stdout, want) {
			t.Errorf("the denied trip returned the file: %s", shortened(r))
		}
		s.g.journal().mustDeny(t, mark, denial{via: w.via(), host: denied, reason: "not_listed"})
		s.nothingOf(t, denied, s.rec.since(t, seen))
		text = permitted + "; " + shown(r)
	})
	return text
}

// label makes a label from a program's name.
func label(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// trip runs the command of a program once.
func (s *scene) trip(t *testing.T, p program, w front, host string) result {
	t.Helper()
	dir, err := os.MkdirTemp("", "trip") // a short path, because browsers make sockets in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, clientUser, clientUser); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-C", dir}, s.tripEnvironment(dir, w, host)...)
	return s.user(t, "", "env", append(args, "timeout", "60", "sh", "-c", p.trip[w])...)
}

// tripEnvironment returns the variables for the commands of programs.
func (s *scene) tripEnvironment(dir string, w front, host string) []string {
	scheme := "https"
	if w == absolute || w == redirected {
		scheme = "http"
	}
	return []string{
		"HOME=" + dir, "TMPDIR=" + dir, "CA=" + s.ca.file, "SCRIPTS=" + filepath.Join(s.dir, "scripts"), "TRUST=" + filepath.Join(s.dir, "trust.p12"),
		"RESOLVED=" + resolvedProgram(), "GATE=" + gateway4, "HTTP=" + httpDoor, "SOCKS=" + socksDoor,
		"HOST=" + host, "PLACE=" + wholeFile, "SCHEME=" + scheme, "URL=" + scheme + "://" + host + wholeFile,
		"REQUEST=GET " + wholeFile + ` HTTP/1.0\r\nHost: ` + host + `\r\n\r\n`,
	}
}

// shown returns the part of the output in which a person can recognize a denial.
func shown(r result) string {
	out := r.all()
	has := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(out), s) })
	}
	switch {
	case has("not_listed"):
		return "the reason"
	case has("err_tunnel_connection_failed", "err_socks_connection_failed"): // first, because a browser's error page contains many numbers
		return "\"no tunnel\""
	case has("err_name_not_resolved"):
		return "no such name"
	case has(" 403", "=403", "forbidden"):
		return "403"
	case has("ruleset", "not allowed", "(2)"):
		return "\"not allowed\""
	case has("nxdomain", "resolve", "resolution", "not known", "enotfound", "unknownhost", "no address"):
		return "no such name"
	}
	return "an error"
}

// nothingOf asserts that no query for a denied name arrived, and no packet at the
// addresses of that name.
func (s *scene) nothingOf(t *testing.T, name string, seen []packet) {
	t.Helper()
	for _, p := range seen {
		if strings.Contains(strings.ToLower(p.query), "evil") || slices.Contains(elsewhere, p.dst.Addr()) || strings.Contains(string(p.payload), name) {
			t.Errorf("%s: arrived at %v: %q", name, p.dst, p.payload)
		}
	}
}

// onlyPermitted asserts that all TCP packets of the recording went to the permitted
// host.
func (s *scene) onlyPermitted(t *testing.T) {
	t.Helper()
	for _, p := range s.rec.since(t, 0) {
		if p.proto == "tcp" && p.dst.Port() != 53 && !slices.Contains(s.book.of(permittedHost), p.dst.Addr()) {
			t.Errorf("arrived at %v", p.dst)
		}
	}
}

// shortened returns a result with a long output cut.
func shortened(r result) string {
	text := r.String()
	if len(text) > 3000 {
		text = text[:1500] + "\n…\n" + text[len(text)-1500:]
	}
	return text
}
