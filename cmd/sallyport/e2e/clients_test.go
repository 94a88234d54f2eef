//go:build linux

// Clients: programs that are often used behind such a proxy. Each makes a few documented
// trips and recognizes a denial.

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tools below leave from es-manager's address.
const (
	httpDoor  = "http://" + gateway4 + ":3128"
	socksDoor = "socks5h://" + gateway4 + ":1080"
)

func TestWget(t *testing.T) {
	need(t, "wget")
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	wget := func(url string) result {
		return l.tool(t, "wget", "-nv", "-O", "-", "-t", "1", "-T", "10", "--ca-certificate="+l.ca.file,
			"-e", "use_proxy=yes", "-e", "http_proxy="+httpDoor, "-e", "https_proxy="+httpDoor, url)
	}
	for _, url := range []string{
		"https://license.sangfor.com/", "http://upd.sangfor.com/", "https://upd.sangfor.com/",
		"https://sp3.sangfor.com/", "http://download.windowsupdate.com/",
	} {
		if r := wget(url); r.code != 0 || !strings.Contains(r.stdout, "origin ") {
			t.Errorf("%v", r)
		}
	}
	mark := g.journal().mark()
	for _, url := range []string{"https://wget.evil.example/", "http://wget.evil.example/"} {
		if r := wget(url); r.code == 0 || !strings.Contains(r.all(), "Forbidden") {
			t.Errorf("wget should print Forbidden for a denied name: %v", r)
		}
	}
	g.journal().mustDeny(t, mark, denial{via: "connect", host: "wget.evil.example", port: 443, reason: "not_listed"})
	g.journal().mustDeny(t, mark, denial{via: "http", host: "wget.evil.example", port: 80, reason: "not_listed"})
}

func TestOpenSSL(t *testing.T) {
	need(t, "openssl")
	l := newLab(t)
	startGateway(t, l, configuration(fleet))
	for _, host := range []string{"license.sangfor.com", "datalake.sangfor.com", "sp2.sangfor.com"} {
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			r := l.clients.run(t, l.dir, "GET / HTTP/1.0\r\nHost: "+host+"\r\n\r\n", "openssl", "s_client", "-quiet", version,
				"-verify_return_error", "-CAfile", l.ca.file, "-proxy", gateway4+":3128", "-connect", host+":443", "-servername", host)
			if r.code != 0 || !strings.Contains(r.stdout, " 443 tls=true host="+host) {
				t.Errorf("%s %s: %v", host, version, r)
			}
		}
	}
}

func TestGit(t *testing.T) {
	need(t, "git")
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	for i, door := range []string{httpDoor, socksDoor} {
		git := func(args ...string) result {
			return l.tool(t, "git", append([]string{"-c", "http.proxy=" + door, "-c", "http.sslCAInfo=" + l.ca.file}, args...)...)
		}
		if r := git("ls-remote", "http://download.sangfor.com/git/repo.git"); r.code != 0 || !strings.Contains(r.stdout, "refs/heads/main") {
			t.Errorf("%v", r)
		}
		clone := filepath.Join(l.dir, "clone-"+string(rune('a'+i)))
		if r := git("clone", "https://download.sangfor.com/git/repo.git", clone); r.code != 0 {
			t.Errorf("%v", r)
		}
		if b, err := os.ReadFile(filepath.Join(clone, "README")); err != nil || !strings.Contains(string(b), "through the gate") {
			t.Errorf("the clone lacks its file: %q %v", b, err)
		}
		mark := g.journal().mark()
		if r := git("ls-remote", "https://git.evil.example/git/repo.git"); r.code == 0 {
			t.Errorf("denied: %v", r)
		}
		g.journal().mustDeny(t, mark, denial{host: "git.evil.example", port: 443, reason: "not_listed"})
	}
}

// aptOptions keep apt away from the machine's own lists, caches and keys.
func aptOptions(t *testing.T, dir, door, repository string) []string {
	t.Helper()
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	source := "deb [trusted=yes] " + repository + " ./\n"
	for file, text := range map[string]string{"sources.list": source, "status": ""} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return []string{
		"-o", "Dir::State=" + dir + "/state", "-o", "Dir::State::status=" + dir + "/status", "-o", "Dir::Cache=" + dir + "/cache",
		"-o", "Dir::Etc=" + dir + "/etc", "-o", "Dir::Etc::sourcelist=" + dir + "/sources.list", "-o", "Dir::Etc::sourceparts=-",
		"-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=0", "-o", "Acquire::Languages=none",
		"-o", "Acquire::http::Proxy=" + door, "-o", "Acquire::https::Proxy=" + door,
	}
}

func TestApt(t *testing.T) {
	need(t, "apt-get", "apt-cache")
	l := newLab(t)
	g := startGateway(t, l, configuration(fleet))
	apt := func(door, repository string) ([]string, result) {
		options := aptOptions(t, t.TempDir(), door, repository)
		options = append(options, "-o", "Acquire::https::CAInfo="+l.ca.file, "-o", "APT::Update::Error-Mode=any")
		return options, l.tool(t, "apt-get", append(options, "update")...)
	}
	for _, door := range []string{httpDoor, socksDoor} {
		for _, repository := range []string{"http://download.windowsupdate.com/apt", "https://download.windowsupdate.com/apt"} {
			options, r := apt(door, repository)
			if r.code != 0 {
				t.Errorf("%v", r)
				continue
			}
			if r := l.tool(t, "apt-cache", append(options, "policy", "from-the-origin")...); !strings.Contains(r.stdout, "Candidate: 1.0") {
				t.Errorf("the index did not arrive: %v", r)
			}
		}
	}
	mark := g.journal().mark()
	if _, r := apt(httpDoor, "http://apt.evil.example/apt"); r.code == 0 || !strings.Contains(r.all(), "403") {
		t.Errorf("apt should print 403 for a denied name: %v", r)
	}
	g.journal().mustDeny(t, mark, denial{via: "http", host: "apt.evil.example", port: 80, reason: "not_listed"})
}
