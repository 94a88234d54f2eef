// Tests of the formats for machines. The fixtures are made by hand, in the form
// that each vendor documents.

package draft

import (
	"os"
	"strings"
	"testing"
)

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestM365(t *testing.T) {
	d, err := FromMachine(M365, fixture(t, "m365.json"), Options{Role: "client"}, Filter{Needed: true})
	if err != nil {
		t.Fatal(err)
	}
	const want = `id-1: [outlook.example *.mail.example 192.0.2.0/24 2001:db8::/32] tcp [80 443] udp [443] "Exchange Online, category Optimize, required"
id-9: [*.protection.example] tcp [443] udp [] "Exchange Online, category Allow, required"
`
	if got := summary(d); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if note := strings.Join(d.Rows[1].Remarks, " "); !strings.Contains(note, "autodiscover.*.tenant.example, *-files.example") {
		t.Errorf("the names that a rule cannot say are not in the note: %q", note)
	}
	d, err = FromMachine(M365, fixture(t, "m365.json"), Options{Role: "client"}, Filter{Service: "SharePoint"})
	if err != nil || len(d.Rows) != 1 || d.Rows[0].ID != "id-31" || d.Rows[0].Section != "SharePoint" {
		t.Errorf("of one service area: %v %v", d, err)
	}
}

func TestGitHubMeta(t *testing.T) {
	d, err := FromMachine(GitHubMeta, fixture(t, "github-meta.json"), Options{Role: "client"}, Filter{Ports: "tcp 443"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `domains-website: [*.hub.example hub.example] tcp [443] udp [] "GitHub: domains.website"
hooks: [192.0.2.0/28 2001:db8::/32] tcp [443] udp [] "GitHub: hooks"
`
	if got := summary(d); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	d, err = FromMachine(GitHubMeta, fixture(t, "github-meta.json"), Options{}, Filter{Service: "hooks"})
	if err != nil || d.Decided() != 0 || !strings.Contains(strings.Join(d.Rows[0].Doubts, " "), "no ports") {
		t.Errorf("a list without ports became a rule: %v %v", d, err)
	}
}

func TestAWSRanges(t *testing.T) {
	d, err := FromMachine(AWSRanges, fixture(t, "aws-ip-ranges.json"), Options{}, Filter{Service: "S3", Region: "eu-west-1", Ports: "tcp 443"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `s3-eu-west-1: [192.0.2.0/26 2001:db8:1::/48] tcp [443] udp [] "Amazon S3 in eu-west-1, list of 2026-01-02-03-04-05"
`
	if got := summary(d); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if _, err := FromMachine(AWSRanges, fixture(t, "aws-ip-ranges.json"), Options{}, Filter{Ports: "tcp 443"}); err == nil {
		t.Error("the whole cloud became a profile")
	}
	if _, err := FromMachine(AWSRanges, fixture(t, "aws-ip-ranges.json"), Options{}, Filter{Service: "S4"}); err == nil || !strings.Contains(err.Error(), "S4") {
		t.Errorf("a service that the list lacks: %v", err)
	}
}

func TestNotTheFormat(t *testing.T) {
	for _, s := range Sources() {
		for _, text := range []string{"", "null", "7", `{"a":`, `[] []`, `<html>`} {
			if d, err := FromMachine(s, []byte(text), Options{}, Filter{Service: "x"}); err == nil {
				t.Errorf("%s: %q is read: %v", s, text, d)
			}
		}
	}
	if _, err := FromMachine("okta", nil, Options{}, Filter{}); err == nil {
		t.Error("an unknown format is read")
	}
}
