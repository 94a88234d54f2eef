//go:build linux

// Clients, redirected: the programs that run behind such a gateway in the field
// make documented trips without any configuration, and recognise a denial.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRedirectedClients(t *testing.T) {
	need(t, "curl", "wget", "dig", "openssl", "apt-get", "apt-cache", "git", "node")
	everyMode(t, func(t *testing.T, mode string) {
		s := newScene(t, mode)
		s.catch(t, fleet)
		t.Run("wget", s.wget)
		t.Run("openssl", s.openssl)
		t.Run("dig", s.dig)
		t.Run("git", s.git)
		t.Run("apt", s.apt)
		t.Run("node", s.node)
		s.onlyDocumented(t, s.rec.since(t, 0))
	})
}

// family is a tool's option for IPv4 or IPv6.
func family(v6 bool) string {
	if v6 {
		return "-6"
	}
	return "-4"
}

func (s *scene) wget(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		wget := func(url string) result {
			return s.user(t, "", "wget", family(v6), "-nv", "-O", "-", "-t", "1", "-T", "10", "--ca-certificate="+s.ca.file, url)
		}
		for _, url := range []string{"https://license.sangfor.com/", "http://upd.sangfor.com/", "http://download.windowsupdate.com/"} {
			if r := wget(url); r.code != 0 || !strings.Contains(r.stdout, "origin ") {
				t.Errorf("%v", r)
			}
		}
		if r := wget("http://wget.evil.example/"); r.code == 0 {
			t.Errorf("denied: %v", r)
		}
	}
	s.g.journal().mustDeny(t, 0, denial{via: "dns", host: "wget.evil.example", reason: "not_listed"})
}

func (s *scene) openssl(t *testing.T) {
	for _, host := range []string{"license.sangfor.com", "datalake.sangfor.com"} {
		for _, v6 := range []bool{false, true} {
			for _, version := range []string{"-tls1_2", "-tls1_3"} {
				r := s.user(t, "GET / HTTP/1.0\r\nHost: "+host+"\r\n\r\n", "openssl", "s_client", "-quiet", family(v6), version,
					"-verify_return_error", "-CAfile", s.ca.file, "-connect", host+":443", "-servername", host)
				if r.code != 0 || !strings.Contains(r.stdout, " 443 tls=true host="+host) {
					t.Errorf("%v", r)
				}
			}
		}
	}
}

// dig sends queries to the resolvers in the client's configuration, and to a
// resolver that does not exist.
func (s *scene) dig(t *testing.T) {
	for _, server := range []string{"", "@" + outsideDNS4, "@" + outsideDNS6, "@198.51.100.53"} {
		for _, transport := range []string{"+notcp", "+tcp"} {
			args := []string{"+time=3", "+tries=1", transport, "license.sangfor.com", "A", "license.sangfor.com", "AAAA"}
			if server != "" {
				args = append([]string{server}, args...)
			}
			r := s.user(t, "", "dig", args...)
			for _, a := range s.book.of("license.sangfor.com") {
				if !strings.Contains(r.stdout, a.String()) {
					t.Errorf("no %v: %v", a, r)
				}
			}
		}
	}
}

func (s *scene) git(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		url := scheme + "://download.sangfor.com/git/repo.git"
		r := s.user(t, "", "git", "-c", "http.sslCAInfo="+s.ca.file, "ls-remote", url)
		if r.code != 0 || !strings.Contains(r.stdout, "refs/heads/main") {
			t.Errorf("%v", r)
		}
	}
}

func (s *scene) apt(t *testing.T) {
	apt := func(repository string) ([]string, result) {
		dir := t.TempDir()
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		options := append(aptOptions(t, dir, "DIRECT", repository), "-o", "Acquire::https::CAInfo="+s.ca.file, "-o", "APT::Update::Error-Mode=any")
		if r := s.clients.run(t, dir, "", "chown", "-R", fmt.Sprint(clientUser), dir); r.code != 0 {
			t.Fatalf("%v", r)
		}
		return options, s.user(t, "", "apt-get", append(options, "update")...)
	}
	for _, scheme := range []string{"http", "https"} {
		options, r := apt(scheme + "://download.windowsupdate.com/apt")
		if r.code != 0 {
			t.Errorf("%v", r)
			continue
		}
		if r := s.user(t, "", "apt-cache", append(options, "policy", "from-the-origin")...); !strings.Contains(r.stdout, "Candidate: 1.0") {
			t.Errorf("the index did not arrive: %v", r)
		}
	}
	if _, r := apt("http://apt.evil.example/apt"); r.code == 0 {
		t.Errorf("denied: %v", r)
	}
	s.g.journal().mustDeny(t, 0, denial{via: "dns", host: "apt.evil.example", reason: "not_listed"})
}

func (s *scene) node(t *testing.T) {
	script, err := filepath.Abs("testdata/direct.mjs")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--input-type=module", "-", s.ca.file}
	for _, d := range documentedDestinations() {
		if d.client.name == "es-manager" {
			args = append(args, fmt.Sprintf("%s://%s/", map[bool]string{true: "http", false: "https"}[d.port == 80], d.host))
		}
	}
	urls := len(args) - 3
	r := s.user(t, string(b), "node", append(args, "https://node.evil.example/")...)
	reached := 0
	for _, line := range lines(r.stdout) {
		url, answer, _ := strings.Cut(line, " ")
		switch {
		case strings.Contains(url, "evil"):
			if !strings.HasPrefix(answer, "failed") {
				t.Errorf("denied: %s", line)
			}
		case strings.HasPrefix(answer, "200 origin "):
			reached++
		default:
			t.Errorf("%s", line)
		}
	}
	if reached != urls || r.code != 0 {
		t.Errorf("node reached %d of %d\n%s", reached, urls, r.stderr)
	}
	s.g.journal().mustDeny(t, 0, denial{via: "dns", host: "node.evil.example", reason: "not_listed"})
}
