// Profile: the topic "profile": the format of a profile file, with one complete example.

package topics

import (
	_ "embed"
	"fmt"
	"strings"

	"sallyport/rules/profile"
)

// example is a profile with every kind of line.
//
//go:embed profile.toml
var example string

// profileFormat returns the keys of a profile file. A test compares them with the keys that
// the parser knows.
func profileFormat() Topic {
	t := Topic{
		Name:    "profile",
		Page:    "profile-format",
		Short:   "The format of a profile file: every key, and one complete example",
		Head:    []string{"key", "type", "default", "meaning and limits"},
		Example: example,
	}
	const name = "An identifier."
	table := func(table string, rows ...[3]string) {
		for _, r := range rows {
			key, kind, text := r[0], r[1], r[2]
			std := "none"
			if required, is := strings.CutPrefix(kind, "!"); is {
				std, kind = "required", required
			} else if kind == "true or false" {
				std = "false"
			}
			t.Rows = append(t.Rows, []string{code(strings.TrimSpace(table + " " + key)), kind, std, text})
		}
	}
	table("",
		[3]string{"name", "!text", "The name of the profile. Clients and `explain` use it. " + name + " Not `site`."},
		[3]string{"product", "text", "The product, for people. `sallyport profiles` prints it."},
		[3]string{"roles", "!list of texts", "Who connects, in the words of the document. Each role is an identifier. The first role is the default of a client."},
		[3]string{"binds", "list of texts", "Parties that only receive connections. No client can have such a role. Each of them is an identifier."},
		[3]string{"wildcards", "list of texts", "The roles and binds to which a site may bind a wildcard such as `*.store.example`, because the document does not list their names."},
		[3]string{"replaces", "text", "Only in a file with the name of a shipped profile: the version of the shipped profile's document, or the revision of the shipped profile."},
	)
	table("[document]",
		[3]string{"title", "!text", "The title of the document from which the rules are typed. Every denial and every explanation prints it."},
		[3]string{"version", "text", "The version that the document has."},
		[3]string{"released", "date", "The day of the document, like `2026-05-01`."},
		[3]string{"url", "text", "The page of the document. It begins with `https://` or `http://`."},
		[3]string{"retrieved", "date", "The day on which you got the document. It is not before `released`."},
		[3]string{"sha256", "text", "The hash of the document's file, 64 hexadecimal digits, as `sha256sum` prints it."},
		[3]string{"language", "text", "The language of the document, like `en` or `pt-BR`."},
		[3]string{"note", "text", "A remark about the whole document."},
	)
	table("[[feature]]",
		[3]string{"name", "!text", "A condition of the document. Its rules are off until the client has the name in `features`. " + name},
		[3]string{"meaning", "text", "The condition, for people."},
	)
	table("[[port]]",
		[3]string{"name", "!text", "A port that the document calls configurable. A rule writes the name instead of the number. " + name},
		[3]string{"default", "!number", "The documented port, from 1 to 65535. A client with another port has the number in `ports`."},
		[3]string{"meaning", "text", "The use of the port, for people."},
	)
	table("[[rule]]",
		[3]string{"id", "!text", "The name of the rule, once in the profile. " + name},
		[3]string{"from", "!text", "The role that connects: one of `roles`."},
		[3]string{"to", "!list of texts", "Destinations: a name (`a.example`), every name below a name (`*.a.example`), an address, a prefix (`192.0.2.0/24`), or `role:NAME` with a name in `roles` or `binds`. The site says in `[client.addresses]` where a role is. A wildcard on a public suffix is an error."},
		[3]string{"tcp", "list, or `\"all\"`", "TCP ports: numbers from 1 to 65535, ranges as texts (`\"8000-8010\"`), and names of `[[port]]` tables. A rule needs `tcp`, `udp` or `any`."},
		[3]string{"udp", "list, or `\"all\"`", "UDP ports, in the same form."},
		[3]string{"any", "true or false", "Every protocol and port. Such a rule has neither `tcp` nor `udp`."},
		[3]string{"when", "list of texts", "The rule is in force only for clients with all of these features. Each of them has a `[[feature]]` table."},
		[3]string{"since", "text", "The first version of the product that needs the rule, like `\"6.0.4\"`, `\"14 MP2\"` or `\"14.3 RU5\"`."},
		[3]string{"until", "text", "The first version that no longer needs the rule. It is after `since`."},
		[3]string{"local", "true or false", "The connection stays within one host: nothing crosses the gateway."},
		[3]string{"purpose", "!text", "What the document says that the rule is for. Every denial near the rule prints it."},
		[3]string{"section", "text", "The part of the document that has the row. `profiles check` warns if it is missing."},
		[3]string{"note", "text", "A remark, printed with hints. A note that contains the name or address of a warning of `profiles check` answers this warning."},
	)
	t.Rows = append(t.Rows, []string{"the file", "TOML, UTF-8", "", fmt.Sprintf("Its name ends in `.toml`. It has at most %d MiB. A key that is not in this table is an error.", profile.MaxSize>>20)},
		[]string{"an identifier", "text", "", "At most 64 letters, digits, dots, underscores and hyphens. It begins with a letter or a digit."})
	return t
}
