// Tests of profiles from files in a running gateway: they are watched, put in force or
// refused as a whole, reported, and checked like the configuration itself.

package gateway

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// profilesSite is a configuration of one client with a shipped profile, and with profiles from
// a directory.
const profilesSite = `
[listen]
http = ["127.0.0.1:0"]
[dns]
upstreams = ["udp://127.0.0.1:9"]
[journal]
path = "denials.jsonl"
[profiles]
paths = ["profiles/"]
[[client]]
name     = "server"
sources  = ["10.77.0.10"]
[[client.profile]]
name = "backup"
[[client.profile]]
name = "symantec-liveupdate"
`

// backupProfile returns a profile whose only rule permits a name.
func backupProfile(permits string) string {
	return "name = \"backup\"\nroles = [\"server\"]\n[document]\ntitle = \"Ports of Backup 7\"\nversion = \"7.2\"\n[[rule]]\nid = \"licence\"\nfrom = \"server\"\nto = [\"" +
		permits + "\"]\ntcp = [443]\npurpose = \"Licence check\"\nsection = \"3\"\n"
}

// A profileScene is a running gateway of profilesSite whose files a test changes.
type profileScene struct {
	t   *testing.T
	dir string
	g   *Gateway
	log *safeBuffer
}

func newProfileScene(t *testing.T) *profileScene {
	s := &profileScene{t: t, dir: t.TempDir()}
	s.put("sallyport.toml", profilesSite)
	// As Kubernetes mounts a ConfigMap: each file is a link through ..data.
	s.put("profiles/..2026_1/backup.toml", backupProfile("one.backup.example"))
	s.link("profiles/..data", "..2026_1")
	s.link("profiles/backup.toml", "..data/backup.toml")
	s.g, s.log = openGateway(t, filepath.Join(s.dir, "sallyport.toml"))
	ctx := t.Context()
	done := make(chan struct{})
	go func() { defer close(done); s.g.watch(ctx) }()
	t.Cleanup(func() { <-done })
	return s
}

func (s *profileScene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *profileScene) put(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	s.must(errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path+".new", []byte(text), 0o644), os.Rename(path+".new", path)))
}

func (s *profileScene) link(name, to string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	s.must(errors.Join(os.Symlink(to, path+".new"), os.Rename(path+".new", path)))
}

// logged waits until the log has a text that it did not have at the last call.
func (s *profileScene) logged(want string) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if text := s.log.String(); strings.Contains(text, want) {
			s.log.mu.Lock()
			s.log.b.Reset()
			s.log.mu.Unlock()
			return
		} else if time.Now().After(deadline) {
			s.t.Fatalf("no %q in the log:\n%s", want, text)
		}
	}
}

// asked returns the answer to a request of the client.
func (s *profileScene) asked(host string) rules.Decision {
	name, err := rules.ParseName(host)
	s.must(err)
	return s.g.live.Policy().Decide(rules.Attempt{Via: rules.ViaConnect, Proto: rules.TCP, Client: netip.MustParseAddrPort("10.77.0.10:40000"),
		Authority: name, Dest: netip.AddrPortFrom(netip.Addr{}, 443), Provisional: true})
}

// permits checks that of these names only the listed ones are permitted.
func (s *profileScene) permits(want ...string) {
	s.t.Helper()
	for _, host := range []string{"one.backup.example", "two.backup.example", "three.backup.example", "liveupdate.symantec.com", "update.made-up.example"} {
		d := s.asked(host)
		if wanted := strings.Contains(strings.Join(want, " "), host); d.Allowed() != wanted || !wanted && d.Why() != rules.NotListed {
			s.t.Errorf("%s: %v, %v", host, d.Text(), d.Why())
		}
	}
}

func TestProfileFilesAreWatched(t *testing.T) {
	t.Parallel()
	s := newProfileScene(t)
	s.permits("one.backup.example", "liveupdate.symantec.com")

	s.put("profiles/..2026_2/backup.toml", backupProfile("two.backup.example"))
	s.link("profiles/..data", "..2026_2")
	s.logged("reloaded")
	s.permits("two.backup.example", "liveupdate.symantec.com")

	// A file of an editor, a hidden one and a README are no profiles: nothing is read again.
	s.put("profiles/.backup.toml.swp", "x")
	s.put("profiles/README", "x")
	time.Sleep(20 * s.g.poll)
	if text := s.log.String(); text != "" {
		t.Errorf("files that are no profiles are read: %s", text)
	}
	// A new file with the name of a shipped profile is refused: no word says what it replaces.
	update := strings.NewReplacer("\"backup\"", "\"symantec-liveupdate\"", "\"server\"", "\"client\"", "7.2", "8").Replace(backupProfile("update.made-up.example"))
	s.put("profiles/update.toml", update)
	s.logged("/profiles/update.toml:1: name: ")
	s.permits("two.backup.example", "liveupdate.symantec.com")
	if code, text := s.g.readyz(); code != 503 || !strings.Contains(text, "the file was refused, and the earlier configuration stays in force: "+s.dir+"/profiles/update.toml:1: name: \"symantec-liveupdate\" is the name of a shipped profile") {
		t.Errorf("%d %s", code, text)
	}

	shipped, err := ShippedProfiles()
	s.must(err)
	for _, p := range shipped {
		if p.Name == "symantec-liveupdate" {
			update = "replaces = \"" + p.Revision + "\"\n" + update
		}
	}
	s.put("profiles/update.toml", update)
	s.logged("in place of the shipped revision")
	s.permits("two.backup.example", "update.made-up.example")
	if code, text := s.g.readyz(); !strings.Contains(text, "\nprofile: symantec-liveupdate from "+s.dir+"/profiles/update.toml: profile revision ") || !strings.Contains(text, "\nprofile: backup from ") {
		t.Errorf("%d %s", code, text)
	}
	if source := s.asked("update.made-up.example").Rule.Source(); !strings.HasPrefix(source, "Ports of Backup 7, version 8, section 3; profile revision ") || !strings.Contains(source, ", in place of the shipped revision ") {
		t.Errorf("source %q", source)
	}

	s.put("profiles/..2026_2/backup.toml", "name = \"backup\"\nroles = ")
	s.logged("/profiles/backup.toml:2: ")
	s.permits("two.backup.example", "update.made-up.example")
	s.put("profiles/..2026_2/backup.toml", backupProfile("three.backup.example"))
	s.logged("reloaded")
	s.permits("three.backup.example", "update.made-up.example")

	s.must(os.Remove(filepath.Join(s.dir, "profiles/update.toml")))
	s.logged("reloaded")
	s.permits("three.backup.example", "liveupdate.symantec.com")

	s.must(os.Rename(filepath.Join(s.dir, "profiles"), filepath.Join(s.dir, "gone")))
	s.logged("/profiles: no such file or directory: create it, or correct the path")
	s.permits("three.backup.example", "liveupdate.symantec.com")
	s.must(os.Rename(filepath.Join(s.dir, "gone"), filepath.Join(s.dir, "profiles")))
	s.logged("reloaded")
}

// Who can change a profile, or put one into its directory, changes the policy: check, run
// and a reload refuse that.
func TestPermissionsOfProfileFiles(t *testing.T) {
	s := newProfileScene(t)
	lines := s.g.startLines(s.g.live.Policy())
	if !strings.Contains(lines, "\n  profile     backup from "+s.dir+"/profiles/backup.toml: profile revision ") {
		t.Errorf("the start does not name the profile:\n%s", lines)
	}
	for _, c := range []struct{ path, want string }{
		{"profiles", "sallyport.toml:9: [profiles] paths: every user of this host can put files there, as DIR/profiles has mode 0777: chmod go-w DIR/profiles"},
		{"profiles/..2026_1/backup.toml", "sallyport.toml:9: [profiles] paths: every user of this host can write it, because DIR/profiles/..2026_1/backup.toml has mode 0777: chmod go-w DIR/profiles/..2026_1/backup.toml"},
	} {
		st, err := os.Stat(filepath.Join(s.dir, c.path))
		s.must(err)
		s.must(os.Chmod(filepath.Join(s.dir, c.path), 0o777))
		_, _, err = NewSource(filepath.Join(s.dir, "sallyport.toml"), nil).LoadToRun()
		if got := strings.ReplaceAll(errorText(err), s.dir, "DIR"); got != "DIR/"+c.want {
			t.Errorf("%s: %s", c.path, got)
		}
		s.logged("reload refused")
		s.must(os.Chmod(filepath.Join(s.dir, c.path), st.Mode()))
		s.logged("reloaded")
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A confined gateway can list the directory of its configuration and those that it names,
// so that a profile can be added later.
func TestKeepsProfiles(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.MkdirAll(at("etc"), 0o755), os.MkdirAll(at("srv/releases/5"), 0o755), os.Symlink("releases/5", at("srv/current")), os.WriteFile(at("srv/a.toml"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	cfg := &site.Config{Journal: site.Journal{Path: "-"}, Inputs: []site.Input{{Path: at("srv/current"), Dir: true}, {Path: at("srv/a.toml")}}}
	may := map[string]string{}
	for _, g := range keeps(at("etc/site.toml"), cfg, PacketFilter{}).Files {
		may[g.Path] += " " + map[bool]string{true: "list", false: "read"}[g.Access != 0]
	}
	for path, want := range map[string]string{at("etc"): " list read", at("srv/releases/5"): " list", at("srv/releases"): " list", at("srv"): " read", at("srv/a.toml"): " read"} {
		if may[path] != want {
			t.Errorf("%s: may%s, want%s", path, may[path], want)
		}
	}
}
