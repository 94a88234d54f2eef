// Bindings: which tables of addresses are refused or warned of, with the line.

package site

import (
	"strings"
	"testing"

	"sallyport/rules"
	"sallyport/rules/profile"
)

// several is a client with two profiles on eleven lines.
const several = `[[client]]
name    = "one"
sources = ["10.0.0.1"]
[[client.profile]]
name = "product"
role = "agent"
[client.profile.addresses]
manager = ["10.9.0.1", "manager.corp.example"]
[[client.profile]]
name = "another"
role = "probe"
`

func TestBindings(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"each profile its own", several + "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\n", ""},
		{"one its own, one the client's", several + "[client.addresses]\nmanager = [\"10.9.0.2\"]\n", ""},
		{"both the client's", strings.Replace(several, "[client.profile.addresses]\nmanager = [\"10.9.0.1\", \"manager.corp.example\"]\n", "", 1) + "[client.addresses]\nmanager = [\"10.9.0.2\"]\n",
			"site.toml:11: warning: manager: profiles product and another all have rules to this role, and all of their ports are permitted at these addresses: write a [client.profile.addresses] below each [[client.profile]], with the manager of that product"},
		{"a role of one of them only", strings.Replace(several, "role = \"agent\"\n", "", 1) + "[client.addresses]\nsyslog = [\"10.9.0.2\"]\n", ""},
		{"the same product in two roles", strings.NewReplacer("\"another\"", "\"product\"", "\"probe\"", "\"manager\"", "[client.profile.addresses]\nmanager = [\"10.9.0.1\", \"manager.corp.example\"]\n", "").Replace(several) + "[client.addresses]\nmanager = [\"10.9.0.2\"]\n", ""},
		{"a role that the profile does not have", strings.Replace(several, "manager = ", "syslogs = ", 1),
			`site.toml:8: syslogs: profile product does not have a role of this name; the roles are "manager", "agent", "syslog"`},
		{"a role of the other profile", several + "[client.profile.addresses]\nsyslog = [\"10.9.0.2\"]\n",
			`site.toml:13: syslog: profile another does not have a role of this name; the roles are "client", "probe", "manager", "cloud"`},
		{"an empty binding", several + "[client.profile.addresses]\nmanager = []\n", "site.toml:13: manager: is empty: list names, addresses or prefixes, or leave it out"},
		{"no address", several + "[client.profile.addresses]\nmanager = [\"10.9.0.0/8\"]\n", `site.toml:13: manager: "10.9.0.0/8" has bits set after its prefix length: write "10.0.0.0/8" or "10.9.0.0"`},
		{"the Internet", several + "[client.profile.addresses]\nmanager = [\"0.0.0.0/0\"]\n",
			`site.toml:13: warning: manager: 0.0.0.0/0 is the whole IPv4 Internet: THE ALLOWLIST ENDS HERE. Client "one", and anyone who takes control of it, can send all its data to any host of the world on these ports, whatever the host's name; list only the networks that are needed`},
		{"the Internet in two tables", strings.Replace(several, `"10.9.0.1", "manager.corp.example"`, `"0.0.0.0/3"`, 1) + "[client.profile.addresses]\nmanager = [\"128.0.0.0/3\"]\n",
			`THE ALLOWLIST ENDS HERE, although no single rule shows it`},
		{"a wildcard where the party allows it", several + "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\ncloud = [\"*.cloud.corp.example\", \"10.9.0.4\"]\n", ""},
		{"a wildcard elsewhere", several + "[client.profile.addresses]\nmanager = [\"*.corp.example\"]\n",
			`site.toml:13: manager: "*.corp.example" is not a name, address or prefix: profile another allows no wildcard for this role, because its document means single hosts: list their names`},
		{"a wildcard for all profiles", several + "[client.addresses]\nmanager = [\"*.corp.example\"]\n",
			`site.toml:13: manager: "*.corp.example" is not a name, address or prefix: profile product allows no wildcard for this role, because its document means single hosts: list their names`},
		{"a wildcard on a public suffix", several + "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\ncloud = [\"*.co.uk\"]\n",
			`site.toml:14: cloud: "*.co.uk": anyone can register a name under this public suffix; name the domain`},
		{"a wildcard above a public suffix", several + "[client.profile.addresses]\nmanager = [\"10.9.0.2\"]\ncloud = [\"*.amazonaws.com\"]\n",
			`site.toml:14: warning: cloud: *.amazonaws.com also permits `},
		{"a public resolver", several + "[client.profile.addresses]\nmanager = [\"dns.google\"]\n", `site.toml:13: warning: manager: dns.google is a public DNS-over-HTTPS resolver`},
		{"a role", several + "[client.profile.addresses]\nmanager = [\"role:probe\"]\n", `site.toml:13: manager: "role:probe" is not a name, address or prefix`},
		{"beside profiles", one + "[client.profile.addresses]\nmanager = [\"10.9.0.1\"]\n", "site.toml:5: profile: must be written as [[client[0].profile]]"},
	} {
		if got := strings.Join(problemsOf(t, c.text), "\n"); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

func TestWithout(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"rules of the profile", one + "without = [\"anything\", \"cdn\"]\n", ""},
		{"a rule of a [[client.profile]]", several + "without = [\"report\"]\n", ""},
		{"a rule that is spelled wrong", one + "without = [\n  \"cdn\",\n  \"anythin\",\n]\n", `site.toml:7: without: product has no rule "anythin": did you mean "anything"?`},
		{"a rule of another profile", several + "without = [\"web\"]\n", `site.toml:12: without: another has no rule "web"; its rules are "live", "report", "upload"`},
		{"a rule twice", one + "without = [\"cdn\", \"cdn\"]\n", `site.toml:5: without: "cdn" is listed twice`},
		{"beside several profiles", strings.Replace(one, `"product"`, `"product", "another"`, 1) + "without = [\"cdn\"]\n", "site.toml:5: without: belongs to one profile: list exactly one profile in profiles, or use [[client.profile]]\n" +
			`site.toml:5: without: another has no rule "cdn"; its rules are "live", "report", "upload"`},
		{"of no profile", strings.Replace(one, `"product"`, ``, 1) + "without = [\"cdn\"]\n", "site.toml:5: without: belongs to one profile: list exactly one profile in profiles, or use [[client.profile]]"},
	} {
		if got := strings.Join(problemsOf(t, c.text), "\n"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, got, c.want)
		}
	}
}

// A client that lists several profiles has the default role of each.
func TestSharedBindingsOfAList(t *testing.T) {
	var profiles []*rules.Profile
	for file, roles := range map[string]string{"product.toml": `"manager", "agent"`, "another.toml": `"client", "probe"`} {
		_, second, _ := strings.Cut(roles, ", ")
		p, err := profile.Parse(file, []byte(strings.Replace(fixture(t, file), roles, second+", "+strings.Split(roles, ", ")[0], 1)))
		if err != nil {
			t.Fatal(err)
		}
		profiles = append(profiles, p)
	}
	text := strings.Replace(one, `"product"`, `"product", "another"`, 1) + "[client.addresses]\nmanager = [\"10.9.0.2\"]\n"
	c, problems := Parse("site.toml", Disk{}, []byte(text), profiles)
	const want = "site.toml:6: warning: manager: profiles product and another all have rules to this role, and all of their ports are permitted at these addresses: write one [[client.profile]] for each of them in place of profiles, and below it a [client.profile.addresses] with the manager of that product"
	if c == nil || len(problems) != 1 || problems[0].String() != want {
		t.Errorf("%v\nwant\n%s", problems, want)
	}
}
