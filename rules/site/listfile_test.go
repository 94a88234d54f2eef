// Tests of list files: what is read, and what is said about what cannot be read.

package site

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sallyport/rules"
)

// withLists reads a configuration with one rule of these list files.
func withLists(files memory, more string) (*Config, rules.Problems) {
	text := `[[client]]
name = "c"
sources = ["10.0.0.0/8"]
profiles = []
[[rule]]
id = "r"
client = "c"
reason = "INC-1"
tcp = [443]
` + more + "\n"
	return Parse("site.toml", Disk{Dir: "/etc", Files: files}, []byte(text), nil)
}

// listed returns the entries of the list of a text that must have no error, and the
// warnings.
func listed(t *testing.T, text string) (entries, warnings []string) {
	t.Helper()
	c, problems := withLists(memory{"/etc/allow.txt": text}, `to_files = ["allow.txt"]`)
	if c == nil {
		t.Fatalf("%q: %v", text, problems)
	}
	for d := range c.Rules[0].List.All() {
		entries = append(entries, d.String())
	}
	for _, p := range problems {
		warnings = append(warnings, p.String())
	}
	slices.Sort(entries)
	return entries, warnings
}

func TestListFilesAreRead(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"names, wildcards, addresses and prefixes", "a.example\n*.b.example\n192.0.2.1\n198.51.100.0/24\n2001:db8::/32\n2001:db9::1\n",
			"*.b.example 192.0.2.1 198.51.100.0/24 2001:db8::/32 2001:db9::1 a.example"},
		{"comments and empty lines", "# all\n\n  \t\na.example # the first\n\t# second\nb.example\t#x\n#c.example", "a.example b.example"},
		{"CRLF", "# x\r\na.example\r\n\r\nb.example # y\r\n", "a.example b.example"},
		{"a byte order mark", "\xef\xbb\xbfa.example\nb.example\n", "a.example b.example"},
		{"a byte order mark before a comment", "\xef\xbb\xbf# x\na.example", "a.example"},
		{"no final newline", "a.example\nb.example", "a.example b.example"},
		{"upper case, a final dot, spaces around", "  A.Example.  \n\tb.EXAMPLE\n", "a.example b.example"},
		{"internationalised names", "bücher.example\n*.BÜCHER.example\n例え.example\nxn--bcher-kva.other.example\n",
			"*.xn--bcher-kva.example xn--bcher-kva.example xn--bcher-kva.other.example xn--r8jz45g.example"},
		{"underscores", "_sip.a.example\n", "_sip.a.example"},
		{"a long comment", "# " + strings.Repeat("x", 5000) + "\na.example # " + strings.Repeat("y", 5000) + "\n", "a.example"},
		{"a name of one label", "intranet\n", "intranet"},
	} {
		got, warnings := listed(t, c.text)
		if strings.Join(got, " ") != c.want || len(warnings) != 0 {
			t.Errorf("%s: %q, want %q; warnings %q", c.what, got, c.want, warnings)
		}
	}
}

func TestListFileErrors(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"a port", "a.example\nb.example:443\n", `/etc/allow.txt:2: "b.example:443": write the name without its port: "b.example"`},
		{"a URL", "https://a.example/x\n", `/etc/allow.txt:1: "https://a.example/x": write the name without scheme, port and path: "a.example"`},
		{"host bits", "\n10.0.0.1/8\n", `/etc/allow.txt:2: "10.0.0.1/8" has bits set after its prefix length: write "10.0.0.0/8" or "10.0.0.1"`},
		{"a public suffix", "*.co.uk\n", `/etc/allow.txt:1: "*.co.uk": anyone can register a name under this public suffix; name the domain`},
		{"another wildcard", "a*.example\n", `/etc/allow.txt:1: "a*.example": a wildcard is "*." and a name, like "*.corp.example", and nothing else`},
		{"a leading dot", ".a.example\n", `/etc/allow.txt:1: ".a.example": write *.name for all names below a name, and name for the name itself`},
		{"an ad blocker's form", "||a.example^\n", `/etc/allow.txt:1: "||a.example^": write *.name for all names below a name, and name for the name itself`},
		{"a hosts file", "0.0.0.0 a.example\n", `/etc/allow.txt:1: "0.0.0.0 a.example" has a space in it: write one destination a line, and # in front of a comment`},
		{"commas", "a.example,b.example\n", `/etc/allow.txt:1: "a.example,b.example": write one destination a line`},
		{"a # without a space", "a.example#x\n", `/etc/allow.txt:1: "a.example#x": put a space in front of the #, if a comment begins there`},
		{"a role", "role:manager\n", `/etc/allow.txt:1: "role:manager": a list has hosts; bind roles in [client.addresses]`},
		{"no host", "0.0.0.0\n", `/etc/allow.txt:1: 0.0.0.0 cannot be a destination: addresses of this network are for hosts that do not know theirs (RFC 1122, 3.2.1.3); for every address write 0.0.0.0/0`},
		{"a long line", "a.example\n" + strings.Repeat("x", 1001) + "\n", `/etc/allow.txt:2: "` + strings.Repeat("x", 60) + `" …: the line has more than 1000 octets: write one destination a line`},
		{"a long name", strings.Repeat("abc.", 70) + "example\n", `/etc/allow.txt:1: "` + strings.Repeat("abc.", 15) + `" …: is no name, *.name, address or prefix`},
		{"NUL", "a.example\nb.exa\x00mple\n", `/etc/allow.txt:2: the line has a NUL octet: is the file text? save it as UTF-8`},
		{"UTF-16 with a mark", "\xff\xfea\x00.\x00\n\x00", `/etc/allow.txt:1: the file is UTF-16 or UTF-32 text, or no text: save it as UTF-8`},
		{"UTF-16 big endian", "\xfe\xff\x00a", `/etc/allow.txt:1: the file is UTF-16 or UTF-32 text, or no text: save it as UTF-8`},
		{"UTF-16 without a mark", "a\x00.\x00", `/etc/allow.txt:1: the file is UTF-16 or UTF-32 text, or no text: save it as UTF-8`},
		{"Latin-1", "a.example\nb\xfccher.example\n", `/etc/allow.txt:2: "b\xfccher.example": the line is not UTF-8: save the file as UTF-8`},
		{"a comma at the end", "b.example.com,\n", `/etc/allow.txt:1: "b.example.com,": remove the comma at the end`},
		{"a semicolon at the end", "10.0.0.0/8;\n", `/etc/allow.txt:1: "10.0.0.0/8;": remove the semicolon at the end`},
		{"a space in a name", "bad name.partner.example\n", `/etc/allow.txt:1: "bad name.partner.example" has a space in it: write one destination a line, and # in front of a comment`},
		{"a lone carriage return", "a.example\rb.example\n", `/etc/allow.txt:1: "a.example\rb.example": name has a byte other than a letter, digit, hyphen, underscore or dot`},
		{"an empty file", "", `/etc/allow.txt: the list is empty: an editor or a script may be writing it; list at least one destination, or remove the file from to_files`},
		{"comments only", "# a.example\n\n", `/etc/allow.txt: the list is empty: an editor or a script may be writing it; list at least one destination, or remove the file from to_files`},
		{"too many lines", strings.Repeat("\n", rules.MaxListLines) + "a.example", fmt.Sprintf(`/etc/allow.txt:%d: the list files of one rule have more than 2000000 lines together: divide them among several rules`, rules.MaxListLines+1)},
		{"too many octets", "# " + strings.Repeat("x", maxListBytes-1), `site.toml:10: to_files: /etc/allow.txt: the file is larger than 64 MiB: divide it, or remove what is not needed`},
	} {
		cfg, problems := withLists(memory{"/etc/allow.txt": c.text}, `to_files = ["allow.txt"]`)
		if cfg != nil || problems.Error() != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.what, problems.Error(), c.want)
		}
	}
}

// The largest list is read, and one more octet is not.
func TestListFileLimits(t *testing.T) {
	lines := strings.Repeat("\n", rules.MaxListLines-1) + "a.example"
	if got, _ := listed(t, lines); !slices.Equal(got, []string{"a.example"}) {
		t.Errorf("2,000,000 lines give %q", got)
	}
	half := "a.example # " + strings.Repeat("x", maxListBytes/2-12)
	if c, problems := withLists(memory{"/etc/a": half, "/etc/b": half}, `to_files = ["a", "b"]`); c == nil {
		t.Errorf("64 MiB: %v", problems)
	}
	want := "/etc/b: the list files of one rule are larger than 64 MiB together: divide them among several rules"
	if c, problems := withLists(memory{"/etc/a": half, "/etc/b": half + "x"}, `to_files = ["a", "b"]`); c != nil || problems.Error() != want {
		t.Errorf("64 MiB and one octet: %v", problems)
	}
}

// 20 errors of a file are printed, the others are counted. Warnings likewise.
func TestListFileErrorsAreCounted(t *testing.T) {
	_, problems := withLists(memory{"/etc/a": strings.Repeat("a b\n", 1234), "/etc/b": "c d\n"}, `to_files = ["a", "b"]`)
	lines := strings.Split(problems.Error(), "\n")
	if len(lines) != 22 || lines[20] != "/etc/a:21: and 1214 more errors, from this line on" || !strings.HasPrefix(lines[19], `/etc/a:20: "a b" has a space`) || !strings.HasPrefix(lines[21], `/etc/b:1: "c d" has a space`) {
		t.Errorf("%d problems: %q", len(lines), lines)
	}
	_, warnings := listed(t, strings.Repeat("dns.google\n1.1.1.1\n", 30))
	if len(warnings) != 22 || warnings[21] != "/etc/allow.txt:21: warning: and 40 more warnings, from this line on" {
		t.Errorf("%d warnings: %q", len(warnings), warnings)
	}
}

func TestListFileWarnings(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"a repeated entry", "a.example\n# x\nA.example.\n", "/etc/allow.txt:3: warning: a.example is already on line 1"},
		{"several", "a.example\nb.example\n10.0.0.0/24\nb.example\na.example\n10.0.0.0/24\n", "/etc/allow.txt:4: warning: b.example is already on line 2; in total, 3 entries repeat an earlier entry"},
		{"a resolver", "x.example\ndns.google\n", "/etc/allow.txt:2: warning: dns.google is a public DNS-over-HTTPS resolver: with it a client can look up any name and bypass the DNS filter"},
		{"a suffix below", "*.amazonaws.com\n", "/etc/allow.txt:1: warning: *.amazonaws.com also permits *."},
		{"a wide list", "0.0.0.0/1\n128.0.0.0/1\n", `site.toml:10: warning: to_files: 0.0.0.0/1, 128.0.0.0/1 are the whole IPv4 Internet: THE ALLOWLIST ENDS HERE.`},
	} {
		if _, warnings := listed(t, c.text); !slices.ContainsFunc(warnings, func(w string) bool { return strings.HasPrefix(w, c.want) }) {
			t.Errorf("%s: %q, want %q", c.what, warnings, c.want)
		}
	}
	_, problems := withLists(memory{"/etc/a": "x.example\n", "/etc/b": "y.example\nx.example\n"}, `to_files = ["a", "b"]`)
	if len(problems) != 1 || problems[0].String() != "/etc/b:2: warning: x.example is already in /etc/a, line 1" {
		t.Errorf("a name in two files: %v", problems)
	}
}

// The key stands beside "to" or instead of it.
func TestToFilesKey(t *testing.T) {
	files := memory{"/etc/a": "x.example\n", "/srv/b": "y.example\n"}
	for _, c := range []struct{ more, want string }{
		{`to_files = ["a"]`, ""},
		{`to = ["z.example"]` + "\n" + `to_files = ["a", "/srv/b"]`, ""},
		{`to_files = []`, "site.toml:10: to_files: is empty: list files with one destination a line, or leave it out"},
		{`to_files = "a"`, "site.toml:10: to_files: must be a list of strings, not a string"},
		{`to_files = ["a", "a"]`, `site.toml:10: to_files: "a" is listed twice`},
		{`to_files = ["c"]`, "site.toml:10: to_files: /etc/c: no such file or directory: create it, or correct the path; relative paths begin at the directory of the configuration"},
		{``, "site.toml:5: rule \"r\": to is missing: list names, *.names, addresses or prefixes"},
	} {
		cfg, problems := withLists(files, c.more)
		if problems.Error() != c.want || (cfg == nil) != (c.want != "") {
			t.Errorf("%s: %v, want %q", c.more, problems, c.want)
		}
	}
	c, _ := withLists(files, `to = ["z.example"]`+"\n"+`to_files = ["a", "/srv/b"]`)
	if want := []Input{{Key: "[[rule]] to_files", Line: 11, Path: "/etc/a"}, {Key: "[[rule]] to_files", Line: 11, Path: "/srv/b"}}; !slices.Equal(c.Inputs, want) {
		t.Errorf("inputs are %v", c.Inputs)
	}
	other, _ := withLists(memory{"/etc/a": "x.example\n", "/srv/b": "other.example\n"}, `to = ["z.example"]`+"\n"+`to_files = ["a", "/srv/b"]`)
	if c.Revision == other.Revision {
		t.Error("another list has the same revision")
	}
}

// Rules that name the same files share one list, which is read once.
func TestListsAreShared(t *testing.T) {
	c, problems := withLists(memory{"/etc/a": "x.example\n", "/etc/b": "y.example\n"}, `to_files = ["a", "b"]
[[rule]]
id = "s"
client = "c"
reason = "INC-2"
udp = [123]
to_files = ["a", "/etc/b"]`)
	if c == nil {
		t.Fatal(problems)
	}
	if c.Rules[0].List != c.Rules[1].List || len(c.Inputs) != 2 {
		t.Errorf("two lists, inputs %v", c.Inputs)
	}
}

// slowListFile reads a list file line by line with the parser of "to".
func slowListFile(text string) (out []rules.Destination, wrong bool) {
	text = strings.TrimPrefix(text, "\xef\xbb\xbf")
	if strings.ContainsRune(text, 0) || !utf8.ValidString(text) && (strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff")) {
		return nil, true
	}
	for line := range strings.SplitSeq(text, "\n") {
		for i := range len(line) {
			if line[i] == '#' {
				wrong = wrong || i > 0 && line[i-1] != ' ' && line[i-1] != '\t'
				line = line[:i]
				break
			}
		}
		line = strings.Trim(line, " \t\r")
		if line == "" {
			continue
		}
		d, err := rules.ParseDestination(line)
		if err != nil || d.Role != "" || len(line) > maxListLine || cannotBeDestination(d) != "" {
			wrong = true
			continue
		}
		out = append(out, d)
	}
	return out, wrong || len(out) == 0
}

// FuzzListFile compares a list with the lines of its file, read one by one.
func FuzzListFile(f *testing.F) {
	f.Add("a.example\n*.b.example # x\n10.0.0.0/8\r\n", "x.b.example", "10.1.2.3")
	f.Add("\xef\xbb\xbfbücher.example\n2001:db8::/32", "xn--bcher-kva.example", "2001:db8::1")
	f.Add("example\nexample.\n*.example.com\nwww.example.com\n", "example.com", "::1")
	f.Fuzz(func(t *testing.T, text, name, addr string) {
		slow, wrong := slowListFile(text)
		l := newListReader()
		l.read("allow.txt", text)
		list := l.done()
		if got := l.problems.Err() != nil; got != wrong {
			t.Fatalf("%q: error %v, want %v: %v", text, got, wrong, l.problems)
		}
		if wrong {
			return
		}
		asked := []rules.Destination{}
		for _, d := range slow {
			asked = append(asked, d, rules.Destination{Name: d.Name.Parent()})
		}
		if n, err := rules.ParseName(name); err == nil {
			asked = append(asked, rules.Destination{Name: n})
		}
		for _, d := range asked {
			n := d.Name
			if n.IsZero() {
				continue
			}
			want := slices.ContainsFunc(slow, func(o rules.Destination) bool {
				return o.Wildcard && n.Below(o.Name) || !o.Wildcard && o.Name == n
			})
			if _, line := list.Find(n); list.Has(n) != want || (line != 0) != want {
				t.Fatalf("%q: %s is listed %v, want %v", text, n, list.Has(n), want)
			}
		}
		if a, err := netip.ParseAddr(addr); err == nil && a.Zone() == "" && !a.Is4In6() {
			want := slices.ContainsFunc(slow, func(o rules.Destination) bool { return o.Prefix.IsValid() && o.Prefix.Contains(a) })
			if list.HasAddr(a) != want {
				t.Fatalf("%q: %v is listed %v, want %v", text, a, list.HasAddr(a), want)
			}
		}
	})
}

// Random files of lines that meet, in the seed corpus of the fuzz target's function.
func TestListFilesAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	lines := []string{"a.example", "*.a.example", "b.a.example", "example", "x.b.a.example # y", "10.0.0.0/8", "10.1.0.0/16", "", "# a", "A.EXAMPLE.", "bad name", "2001:db8::/32", "*.b.a.example", "*.com"}
	for range 2000 {
		var text strings.Builder
		for range r.IntN(8) {
			text.WriteString(lines[r.IntN(len(lines))] + []string{"\n", "\r\n"}[r.IntN(2)])
		}
		slow, wrong := slowListFile(text.String())
		l := newListReader()
		l.read("allow.txt", text.String())
		list := l.done()
		if got := l.problems.Err() != nil; got != wrong {
			t.Fatalf("%q: error %v, want %v: %v", text.String(), got, wrong, l.problems)
		}
		for _, d := range slow {
			if !d.Name.IsZero() && !d.Wildcard && !list.Has(d.Name) {
				t.Fatalf("%q: %v is not listed", text.String(), d)
			}
		}
	}
}
