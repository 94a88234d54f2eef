//go:build linux

// Profiles from files: a running, confined gateway decides by the profile files that are
// there now. A broken file changes nothing.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// licenceProfile is a profile whose only rule permits plain HTTP to one host.
const licenceProfile = `name    = "backup"
product = "Made-up Backup"
roles   = ["server"]
%s[document]
title   = "Ports of Backup 7"
version = "7.2"
[[rule]]
id      = "licence"
from    = "server"
to      = ["%s"]
tcp     = [80]
purpose = "Licence check"
section = "3"
`

func TestConfinedProfileFiles(t *testing.T) {
	need(t, "curl")
	for name, uid := range map[string]uint32{"as a user": sallyportUser, "as root": 0} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			g := newConfined(t, l, uid)
			put := func(path, text string) {
				t.Helper()
				path = filepath.Join(g.dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				replace(t, path, text)
			}
			turn := func(link, to string) {
				t.Helper()
				link = filepath.Join(g.dir, link)
				if err := os.Symlink(to, link+".new"); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(link+".new", link); err != nil {
					t.Fatal(err)
				}
			}
			server := fleet[0]
			server.profile, server.role, server.features = "backup", "server", nil
			top := fmt.Sprintf(confinedTop, "udp://45.83.0.1:53")
			without := configurationOf(top, fleet)
			with := configurationOf(top, append([]client{server}, fleet[1:]...), "[profiles]\npaths = [\"profiles/\"]\n")
			permits := func(what, host string, others ...string) {
				t.Helper()
				eventually(t, 30*time.Second, what, func() error {
					if err := lacks(l.curl(t, server, "-x", httpDoor, "http://"+host+"/").stdout, "origin "); err != nil {
						return err
					}
					for _, other := range others {
						if err := lacks(l.curl(t, server, "-x", httpDoor, "http://"+other+"/").stdout, "denied: "); err != nil {
							return errorf("%s: %v", other, err)
						}
					}
					return nil
				})
			}

			// The gateway starts without profile files. The directory and the key come later.
			g.mount(t, "..1", without)
			g.start(t, "run", "--config", "etc/site.toml")
			g.waitState(t, true, "")
			permits("the shipped profile", "clt.sangfor.com", "liveupdate.symantec.com")

			put("etc/profiles/..2026_1/backup.toml", fmt.Sprintf(licenceProfile, "", "liveupdate.symantec.com"))
			turn("etc/profiles/..data", "..2026_1")
			turn("etc/profiles/backup.toml", "..data/backup.toml")
			g.mount(t, "..2", with)
			permits("the profile of the file", "liveupdate.symantec.com", "clt.sangfor.com")

			put("etc/profiles/..2026_2/backup.toml", fmt.Sprintf(licenceProfile, "", "clt.sangfor.com"))
			turn("etc/profiles/..data", "..2026_2")
			permits("the next version, behind the link", "clt.sangfor.com", "liveupdate.symantec.com")

			put("etc/profiles/..2026_3/backup.toml", fmt.Sprintf(licenceProfile, "", "nobody.example\"\n"))
			turn("etc/profiles/..data", "..2026_3")
			g.waitState(t, false, "etc/profiles/backup.toml:11: ")
			permits("the good version stays in force", "clt.sangfor.com", "liveupdate.symantec.com", "nobody.example")
			g.signal(t, syscall.SIGHUP)
			g.waitState(t, false, "etc/profiles/backup.toml:11: ")
			permits("also after SIGHUP", "clt.sangfor.com", "liveupdate.symantec.com", "nobody.example")

			turn("etc/profiles/..data", "..2026_1")
			permits("and back", "liveupdate.symantec.com", "clt.sangfor.com")

			// A shipped profile changes only if the file says which one it replaces.
			server.profile = "symantec-liveupdate"
			put("etc/profiles/liveupdate.toml", strings.ReplaceAll(fmt.Sprintf(licenceProfile, "", "clt.sangfor.com"), `"backup"`, `"symantec-liveupdate"`))
			g.waitState(t, false, "is the name of a shipped profile")
			permits("the shipped profile is not replaced", "liveupdate.symantec.com", "clt.sangfor.com")

			// A directory that the configuration of the start did not lead to is out of reach.
			put("beyond/profiles/other.toml", strings.ReplaceAll(fmt.Sprintf(licenceProfile, "", "clt.sangfor.com"), `"backup"`, `"other"`))
			if err := os.Remove(filepath.Join(g.dir, "etc/profiles/liveupdate.toml")); err != nil {
				t.Fatal(err)
			}
			g.waitState(t, true, "")
			g.mount(t, "..3", strings.Replace(with, `"profiles/"`, `"profiles/", "../beyond/profiles"`, 1))
			g.waitState(t, false, "beyond/profiles: permission denied: this needs a restart")
			permits("a refused reload changes nothing", "liveupdate.symantec.com", "clt.sangfor.com")
			journal(filepath.Join(g.dir, "log/denials.jsonl")).mustDeny(t, 0, denial{host: "clt.sangfor.com", reason: "not_listed"})
			if out := g.out.String(); lacks(out, "profile from a file", "backup from etc/profiles/backup.toml: profile revision ") != nil {
				t.Errorf("the log does not name the profile:\n%s", out)
			}
		})
	}
}
