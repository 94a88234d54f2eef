// Tests of rows for one region, of names with a part for the region, and of the protocol that only
// the operator knows.

package draft

import (
	"slices"
	"strings"
	"testing"
)

// imported returns the draft of a table whose titles are in its first row.
func imported(t *testing.T, table string, o Options) *Draft {
	t.Helper()
	tables, err := Read(CSV, []byte(table))
	if err != nil {
		t.Fatal(err)
	}
	o.Name, o.Product, o.Title, o.Role = "p", "P", "T", "server"
	d, err := New(tables, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A row for a region is no rule: the site may be elsewhere.
func TestRowsOfARegion(t *testing.T) {
	for _, c := range []struct{ title, purpose, cell, want string }{
		{"Region", "Updates", "EU", "Region: EU"},
		{"Country", "Updates", "Japan, Korea", "Country: Japan, Korea"},
		{"Region", "Updates", "all regions", ""},
		{"Region", "Updates", "Worldwide.", ""},
		{"Region", "Updates", "", ""},
		{"Remark", "Updates (EU)", "", "Updates (EU)"},
		{"Remark", "Updates", "Europe and Asia", "Europe and Asia"},
		{"Remark", "Updates", "Hourly. APAC customers", "APAC customers"},
		{"Remark", "Updates for US tenants", "", "Updates for US tenants"},
		{"Remark", "Tell us about errors", "contact us", ""},
		{"Remark", "Updates of Asia Manager", "", ""},
		{"Remark", "Mirror in India or China", "", ""},
	} {
		d := imported(t, "Host,Port,Purpose,"+c.title+"\nupdate.vendor.example,TCP 443,"+c.purpose+",\""+c.cell+"\"\n", Options{})
		e := d.Rows[0]
		if e.Likely.Feature != c.want {
			t.Errorf("%+v: the region is %q", c, e.Likely.Feature)
		}
		if says := `the row is for a region: "` + c.want + `"`; c.want != "" && !slices.ContainsFunc(e.Doubts, func(s string) bool { return strings.HasPrefix(s, says) }) || c.want == "" && len(e.Doubts) > 0 {
			t.Errorf("%+v: %q", c, e.Doubts)
		}
	}
}

// If the row or a footnote lists the values of the part in brackets, the proposal has the names.
func TestPartToBeFilledIn(t *testing.T) {
	for _, c := range []struct {
		host, note string
		to, left   []string
	}{
		{"[region].s.vendor.example", "region: eu, us or ap", []string{"eu.s.vendor.example", "us.s.vendor.example", "ap.s.vendor.example"}, nil},
		{"<site>-api.vendor.example", "<site> is one of EU1, US1", []string{"eu1-api.vendor.example", "us1-api.vendor.example"}, nil},
		{"{region}.s.vendor.example", "Regions are de/fr", []string{"de.s.vendor.example", "fr.s.vendor.example"}, nil},
		{"[region].s.vendor.example", "region: see the portal", nil, []string{"[region].s.vendor.example"}},
		{"[region].s.vendor.example", "one for each tenant", nil, []string{"[region].s.vendor.example"}},
		{"[region].[tenant].vendor.example", "region: eu", nil, []string{"[region].[tenant].vendor.example"}},
		{"[region].s.vendor.example", "region: *, eu", nil, []string{"[region].s.vendor.example"}},
		{"login.vendor.example [region].s.vendor.example", "region: eu", []string{"login.vendor.example", "eu.s.vendor.example"}, nil},
	} {
		d := imported(t, "Host,Port,Purpose,Note\n"+c.host+",TCP 443,P,\""+c.note+"\"\n", Options{})
		e := d.Rows[0]
		if !slices.Equal(e.Likely.To, c.to) || !slices.Equal(e.Likely.Left, c.left) || len(e.To) > 0 || len(e.Doubts) == 0 {
			t.Errorf("%+v: to %q, left %q, rule %q, doubts %q", c, e.Likely.To, e.Likely.Left, e.To, e.Doubts)
		}
		if strings.HasPrefix(c.host, "[region].s.") && e.ID != "s" {
			t.Errorf("%s: the id is %q", c.host, e.ID)
		}
	}
}

// "a1 - a3" in words is a range too: no name of it is lost.
func TestRangeOfNames(t *testing.T) {
	for host, want := range map[string][]string{
		"mb1.vendor.example - mb3.vendor.example":    {"mb1.vendor.example", "mb2.vendor.example", "mb3.vendor.example"},
		"mb01.vendor.example to mb02.vendor.example": {"mb01.vendor.example", "mb02.vendor.example"},
		"mb1.vendor.example - mc3.vendor.example":    {"mb1.vendor.example", "mc3.vendor.example"},
	} {
		e := imported(t, "Host,Port,Purpose\n"+host+",TCP 443,P\n", Options{}).Rows[0]
		if !slices.Equal(e.Likely.To, want) || len(e.To) > 0 || len(e.Doubts) == 0 {
			t.Errorf("%s: %q, rule %q, %q", host, e.Likely.To, e.To, e.Doubts)
		}
	}
}

// A protocol that only --protocol gives leaves a trace at each row that uses it.
func TestProtocolOfTheOperator(t *testing.T) {
	d := imported(t, "Host,Port,Purpose\na.vendor.example,443,A\nb.vendor.example,TCP 443,B\nc.vendor.example,\"53(UDP), 853\",C\nd.vendor.example,80,\"D, if used\"\nhttps://e.vendor.example,443,E\n", Options{Protocol: "tcp"})
	text := string(d.TOML())
	for _, want := range []string{
		"\n# Protocol: the row prints none for 443; --protocol tcp\n[[rule]]\nid      = \"a\"",
		"\n\n[[rule]]\nid      = \"b\"",
		"\n# Protocol: the row prints none for 853; --protocol tcp\n[[rule]]\nid      = \"c\"",
		"\n#   Protocol: the row prints none for 80; --protocol tcp\n# [[feature]]",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the draft lacks %q:\n%s", want, text)
		}
	}
	if d.Assumed() != 3 { // a, c, e
		t.Errorf("%d rules", d.Assumed())
	}
	column := imported(t, "Host,TCP port,Purpose\na.vendor.example,443,A\n", Options{Protocol: "udp"})
	if column.Assumed() != 0 || strings.Contains(string(column.TOML()), "Protocol:") {
		t.Errorf("the title of the column gives the protocol:\n%s", column.TOML())
	}
}

// The head has the command, and stays true in a reviewed profile.
func TestHeadHasTheCommand(t *testing.T) {
	d := imported(t, "Host,Port,Purpose\na.vendor.example,TCP 443,A\n", Options{Command: "sallyport profiles import a.csv --role server\n"})
	const want = "# Profile: imported from a document, row by row. A row without a decision is a comment, and permits nothing.\n# Import command: sallyport profiles import a.csv --role server \n# The import made 1 rule of 1 row.\n\nname "
	if text := string(d.TOML()); !strings.HasPrefix(text, want) || strings.Contains(text, "draft") {
		t.Errorf("%s", text)
	}
}
