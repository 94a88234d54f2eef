// Tests of directions, sources, and the titles of columns.

package draft

import (
	"strings"
	"testing"
)

func TestDirectionColumn(t *testing.T) {
	// An inbound row must not propose the outbound rule: without its marks, it would permit the
	// opposite of the document.
	for direction, doubt := range map[string]string{
		"Outbound": "", "outgoing": "", "OUT": "", "→": "", "->": "", "ausgehend": "", "出站": "", "Outbound only": "",
		"Inbound": "the other side opens", "incoming": "the other side opens", "In": "the other side opens", "←": "the other side opens",
		"eingehend": "the other side opens", "入站": "the other side opens", "入方向": "the other side opens",
		"Both": "the direction is \"Both\"", "In/Out": "the direction is \"In/Out\"", "bidirectional": "only what the role opens",
		"Inbound and outbound": "only what the role opens", "↔": "only what the role opens", "双向": "only what the role opens",
		"": "the direction is missing", "Agent to server": "is not understood", "Outbound[1]": "has a footnote mark",
	} {
		for _, title := range []string{"Direction", "Richtung", "方向", "In/Out"} {
			d := read(t, CSV, "Host,Port,"+title+",Purpose\na.example,TCP 443,"+direction+",x\n", Options{})
			if got := strings.Join(d.Rows[0].Doubts, "; "); (doubt == "") != (got == "") || !strings.Contains(got, doubt) {
				t.Errorf("%s %q: doubts %q, want %q", title, direction, got, doubt)
			}
			out, inbound := string(d.TOML()), doubt == "the other side opens"
			if strings.Contains(out, `tcp     = [443]`) == inbound {
				t.Errorf("%s %q: a NOTE has its lines, but for an inbound row\n%s", title, direction, out)
			}
			if inbound != strings.Contains(out, "\n#   proposal: no rule, because the other side opens the connection. If the other side is behind this gateway too, its role is from, and to is [\"role:server\"].\n") {
				t.Errorf("%s %q: an inbound row proposes no rule\n%s", title, direction, out)
			}
		}
	}
}

// The direction stands elsewhere: in a column without a title, in a title, in a heading.
func TestDirectionElsewhere(t *testing.T) {
	for _, c := range []struct {
		format Format
		text   string
		rules  int
	}{
		{CSV, "Host,Port,Way,Purpose\na.example,TCP 443,Inbound,x\nb.example,TCP 443,Outbound,x\n", 1},
		{CSV, "Host,Port,In/Out,Purpose\na.example,TCP 443,Inbound,x\nb.example,TCP 443,Outbound,x\nc.example,TCP 443,,x\n", 1},
		{CSV, "Host,Inbound port,Purpose\na.example,TCP 443,x\n", 0},
		{CSV, "Host,Outbound port,Purpose\na.example,TCP 443,x\n", 1},
		{Text, "Host\tPort\tDirection\tPurpose\na.example\tTCP 443\tInbound\tx\nb.example\tTCP 443\tOutbound\tx\nc.example\tTCP 443\tx\n", 1},
		{Text, "Host\tPort\tPurpose\na.example\tTCP 443\tInbound\n", 0},
		{HTML, "<h2>3.1 Inbound connections</h2><table><tr><th>Host<th>Port<tr><td>a.example<td>TCP 443</table>", 0},
		{HTML, "<h2>3.2 Outbound connections</h2><table><tr><th>Host<th>Port<tr><td>a.example<td>TCP 443</table>", 1},
		{Markdown, "## Incoming\n\n| Host | Port |\n|--|--|\n| a.example | TCP 443 |\n", 0},
	} {
		if d := read(t, c.format, c.text, Options{}); d.Decided() != c.rules {
			t.Errorf("%d rules, want %d\n%s\n%s", d.Decided(), c.rules, c.text, summary(d))
		}
	}
}

// A cell across the whole table is a title, and the rows below it are its rows.
func TestTitleInsideTable(t *testing.T) {
	const rows = "<table><tr><th>Host<th>Port</tr>\n<tr><td colspan=2>Inbound connections</tr>\n<tr><td>a.example<td>TCP 443</tr>\n<tr><td colspan=2>Outbound connections</tr>\n<tr><td>b.example<td>TCP&nbsp;443</tr>\n</table>"
	d := read(t, HTML, rows, Options{})
	if d.Decided() != 1 || len(d.Rows[3].Doubts) > 0 || !strings.Contains(strings.Join(d.Rows[1].Doubts, ""), "Inbound connections") {
		t.Errorf("want a rule for b.example alone:\n%s", summary(d))
	}
	if got := d.Rows[0].Doubts; len(got) != 1 || !strings.Contains(got[0], "covers the whole row") {
		t.Errorf("the title: %q", got)
	}
}

// A rule is about the role of the import. A row of another party proposes its role.
func TestSourceColumn(t *testing.T) {
	d := read(t, CSV, "Source,Source port,Destination,Destination port,Purpose\nServer,any,a.example,TCP 443,x\nViewer PC,any,b.example,TCP 443,y\n,any,c.example,TCP 443,z\nAny,any,d.example,TCP 443,z\n", Options{Role: "server"})
	out := string(d.TOML())
	if len(d.Rows[0].Doubts) > 0 || len(d.Rows[3].Doubts) > 0 || d.Decided() != 2 {
		t.Errorf("%d rules, want the first and the last row:\n%s", d.Decided(), summary(d))
	}
	if got := d.Rows[1].Doubts; len(got) != 1 || got[0] != `the source is "Viewer PC", and the role of this import is "server"` {
		t.Errorf("another party: %q", got)
	}
	if !strings.Contains(out, "# from    = \"viewer-pc\"\n# to      = [\"b.example\"]\n") {
		t.Errorf("the NOTE does not propose the other role:\n%s", out)
	}
	if got := strings.Join(d.Rows[2].Doubts, " "); !strings.Contains(got, "the source is missing") {
		t.Errorf("no party: %q", got)
	}
	if !strings.Contains(out, "# Also in the row: Source port: any\n") {
		t.Errorf("the source's port is not in the draft:\n%s", out)
	}
}

// The titles of columns in several languages.
func TestTitles(t *testing.T) {
	for _, titles := range []string{
		"Domain,Port,Protocol,Notes,Extra", "Ziel,Port,Protokoll,Zweck,Extra", "Zieladresse,Zielport,Protokoll,Beschreibung,Extra",
		"Ziel,Ports,Transport,Bemerkung,Extra", "FQDN,Port,Protocol,Remarks,Extra", "Host,Port,Protocol,Comment,Extra", "Host,Port,Protocol,Hinweis,Extra",
		"域名,端口,协议,用途,Extra", "目的地址,端口,协议,说明,Extra", "地址,端口,协议,备注,Extra", "Destino,Puerto,Protocolo,Descripción,Extra",
		"Hôte,Port,Protocole,Remarque,Extra", "ドメイン,ポート,プロトコル,用途,Extra", "Хост,Порт,Протокол,Описание,Extra", "Adres,Port,Protokół,Opis,Extra",
		"Resource host,Port,Transport,Note,Extra",
	} {
		d := read(t, CSV, titles+"\na.example,443,TCP,one,two\n", Options{})
		if got := summary(d); got != "a: [a.example] tcp [443] udp [] \"one\"\n" {
			t.Errorf("%s: %s", titles, got)
		}
		if !strings.Contains(string(d.TOML()), "# Also in the row: Extra: two\n[[rule]]\n") {
			t.Errorf("%s: the cell of the column Extra is not in the draft\n%s", titles, d.TOML())
		}
	}
	d := read(t, CSV, "Domain,Port,Purpose,Notes\na.example,TCP 443,one,only in Europe\n", Options{})
	if !strings.Contains(string(d.TOML()), `note    = "The document notes: only in Europe"`) {
		t.Errorf("a column of notes beside the purpose:\n%s", d.TOML())
	}
}

// A row without a destination says why, and the cure.
func TestMissingDestination(t *testing.T) {
	for _, c := range []struct {
		format            Format
		text, want, never string
	}{
		{CSV, "Thing,Port\na.example,TCP 443\n", `no column has a title such as "Domain"; number the column with --columns host=NUMBER`, "merged"},
		{CSV, "Host,Port\n,TCP 443\n", "the cell is empty", "merged"},
		{Text, "Host\tPort\na.example\tTCP 443\n\tTCP 80\n", "perhaps a merged cell", ""},
	} {
		d := read(t, c.format, c.text, Options{})
		got := strings.Join(d.Rows[len(d.Rows)-1].Doubts, "; ")
		if !strings.Contains(got, c.want) || c.never != "" && strings.Contains(string(d.TOML()), c.never) {
			t.Errorf("%s: %q, want %q\n%s", c.text, got, c.want, d.TOML())
		}
	}
	d := read(t, HTML, "<table><tr><th>Host<th>Port<tr><td rowspan=2>a.example<td rowspan=2><tr></table>", Options{})
	if got := strings.Join(d.Rows[0].Doubts, "; "); got != "the port is missing: a merged cell covers it" {
		t.Errorf("an empty merged cell: %q", got)
	}
}

// --table chooses one table; numbers of columns are for tables with the same titles.
func TestChooseTable(t *testing.T) {
	const two = "<h2>Server</h2><table><tr><th>Where<th>Port</tr><tr><td>a.example<td>TCP 443</tr></table><h2>Agent</h2><table><tr><th>No<th>Where<th>Port</tr><tr><td>1<td>b.example<td>TCP 8443</tr></table>"
	d := read(t, HTML, two, Options{Table: 2, Columns: map[string]int{"host": 2}, File: "ports.html"})
	if got := summary(d); got != "b: [b.example] tcp [8443] udp [] \"\"\n" {
		t.Errorf("table 2: %s", got)
	}
	tables, err := Read(HTML, []byte(two))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Columns: map[string]int{"host": 1}}, "different columns; choose one table with --table NUMBER, and import each table by itself:\n  table 1, 1 rows: Server: Where | Port\n  table 2, 1 rows: Agent: No | Where | Port"},
		{Options{Table: 3}, "--table 3: the document has these tables:\n  table 1"},
		{Options{Table: 1, Columns: map[string]int{"host": 3}}, "--columns host=3: table 1 has 2 columns"},
	} {
		if _, err := New(tables, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if out := string(read(t, HTML, strings.ReplaceAll(two, "TCP ", ""), Options{File: "ports.html", Columns: nil}).TOML()); !strings.Contains(out, "# NOTE: line 1 of ports.html, table 2, is no rule yet: ") {
		t.Errorf("the NOTE does not name the file and the table:\n%s", out)
	}
}

// A table inside a cell is read by itself, and lines stay right.
func TestTableInsideTable(t *testing.T) {
	d := read(t, HTML, "<table><tr><td>\n<table><tr><th>Host</th><th>Port</th></tr>\n<tr><td>a.example</td><td>TCP 443</td></tr></table></td></tr>\n</table>", Options{})
	if got := summary(d); got != "a: [a.example] tcp [443] udp [] \"\"\n" || d.Rows[0].Line != 3 {
		t.Errorf("%s, line %d", got, d.Rows[0].Line)
	}
}
