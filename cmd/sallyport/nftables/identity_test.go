// Clients that demand an identity: the packet filter cannot see it, so nothing of theirs passes by
// address alone.

package nftables

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sallyport/rules"
	"sallyport/rules/site"
)

// usersOnDisk is a disk with one users_file.
type usersOnDisk struct{}

func (usersOnDisk) Read(string, int) ([]byte, error) {
	return []byte("alice:$2y$10$w5rbbMHyWJMmDIhk9hgHNOaqjmPbEzcGNd9LhIfu5sGYJ9Ez3uF1i\n"), nil
}

func (usersOnDisk) List(string, string) ([]string, error) { return nil, nil }

func TestNothingPassesByAddressForUsers(t *testing.T) {
	text := func(users string) string {
		return `[listen]
transparent = ["[::]:3129"]
dns = ["[::]:5300"]
[[client]]
name = "people"
sources = ["10.30.0.0/16"]
profiles = []
` + users + `
[[rule]]
id = "ntp"
client = "people"
to = ["198.51.100.7"]
udp = [123]
reason = "test"
[[rule]]
id = "all"
client = "people"
to = ["198.51.100.9"]
any = true
reason = "test"
`
	}
	rulesetOf := func(users string) string {
		cfg, problems := site.Parse("site.toml", site.Disk{Files: usersOnDisk{}}, []byte(text(users)), nil)
		if cfg == nil {
			t.Fatal(problems)
		}
		policy, _ := rules.Compile(&cfg.Spec, rules.Own{}, time.Now())
		plan, err := NewPlan(cfg, policy, options(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := plan.Render(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	open, closed := rulesetOf(""), rulesetOf(`users_file = "users"`)
	for _, addr := range []string{"198.51.100.7", "198.51.100.9"} {
		if !strings.Contains(open, addr) {
			t.Errorf("without users %s does not pass: the test proves nothing", addr)
		}
		if strings.Contains(closed, addr) {
			t.Errorf("%s passes by address alone:\n%s", addr, closed)
		}
	}
	if !strings.Contains(closed, "10.30.0.0/16") {
		t.Error("the traffic of people is not redirected")
	}
}
