//go:build linux

// Links: sallyport loads a configuration behind symbolic links again when a link
// changes. It does so although it can open only the directories granted at its start.

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfinedReloadsThroughLinks(t *testing.T) {
	need(t)
	l := newLab(t)
	for name, uid := range map[string]uint32{"as a user": sallyportUser, "as root": 0} {
		t.Run(name, func(t *testing.T) {
			g := newConfined(t, l, uid)
			top := strings.ReplaceAll(fmt.Sprintf(confinedTop, "udp://45.83.0.1:53"), "../", g.dir+"/")
			put := func(path, marker string) {
				t.Helper()
				path = filepath.Join(g.dir, path)
				text := configurationOf(top, fleet, fmt.Sprintf("[[rule]]\nid = %q\nclient = \"es-manager\"\nto = [\"corp.example\"]\ntcp = [1]\nreason = \"r\"\nexpires = 2000-01-01\n", marker))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
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
			put("conf/releases/1/site.toml", "first")
			put("conf/releases/2/site.toml", "second")
			put("conf/elsewhere/site.toml", "third")
			put("conf/releases/2/other.toml", "fourth")
			turn("conf/current", "releases/1")
			g.start(t, "run", "--config", "conf/current/site.toml")
			revision := g.waitState(t, true, "revision").Policy
			changed := func(what string) {
				t.Helper()
				eventually(t, 30*time.Second, what, func() error {
					switch r := g.waitState(t, true, "revision"); r.Policy {
					case revision:
						return errorf("still %s", revision)
					default:
						revision = r.Policy
						return nil
					}
				})
			}
			turn("conf/current", "releases/2")
			changed("the link to the directory is turned to a release beside")
			turn("conf/releases/2/site.toml", "other.toml")
			changed("the file has become a link to another")
			put("conf/releases/2/other.toml", "fifth")
			changed("what the links lead to is written")
			turn("conf/current", "elsewhere")
			g.waitState(t, false, "needs a restart")
			turn("conf/current", "releases/1")
			changed("and back")
		})
	}
}
