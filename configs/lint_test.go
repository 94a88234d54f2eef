// Lint: the shipped profiles have no finding that a note does not explain, and the notes say
// what was decided about doubtful cells.

package configs

import (
	"strings"
	"testing"

	"sallyport/rules/profile/lint"
)

func TestTheShippedProfilesHaveNoUnexplainedFinding(t *testing.T) {
	profiles := parseProfiles(t)
	noted := map[string]bool{}
	for _, f := range lint.Profiles(profiles, profiles) {
		if !f.Noted() {
			t.Error(f)
		}
		noted[f.Rule] = true
	}
	if !noted["endpoint-secure-saas/syslog-service"] {
		t.Error("the broadest rule is no finding")
	}
}

// Each cell of a document that can be read in two ways has a note that says how it was read.
func TestDoubtfulCellsHaveNotes(t *testing.T) {
	const perRow, names = "page of the same guide has the description in each row", "53(UDP)"
	want := map[string]string{
		"endpoint-secure-onprem/x":                       perRow,
		"endpoint-secure-onprem/update":                  perRow,
		"endpoint-secure-onprem/sp":                      perRow,
		"endpoint-secure-onprem/device":                  perRow,
		"endpoint-secure-onprem/device-scloud":           perRow,
		"endpoint-secure-onprem/dlauth":                  perRow,
		"endpoint-secure-onprem/datalake":                perRow,
		"endpoint-secure-onprem/agent-8083":              "share one description",
		"endpoint-secure-onprem/agent-54120":             "share one description",
		"endpoint-secure-onprem/integration":             "these are no agents",
		"endpoint-secure-saas/update":                    "no description",
		"endpoint-secure-saas/sp":                        "of update1 to update3 too",
		"endpoint-secure-saas/edrlinkage":                "nothing follows the comma",
		"endpoint-secure-saas/syslog-service":            "prints ALL",
		"cyber-command/update4":                          names,
		"cyber-command/dns":                              "DNS server on CC",
		"cyber-command/es-logs":                          "misprint",
		"symantec-endpoint-protection/push-windows":      "ephemeral",
		"symantec-endpoint-protection/sql-server":        "ephemeral",
		"symantec-endpoint-protection/web-console":       "ephemeral",
		"symantec-endpoint-protection/client-http":       "ephemeral",
		"symantec-endpoint-protection/client-https":      "ephemeral",
		"symantec-endpoint-protection/syslog":            "outgoing from the syslog server",
		"symantec-endpoint-protection/client-cloud":      "manager must be enrolled",
		"symantec-endpoint-protection/manager-cloud":     "proxy bypass list",
		"symantec-liveupdate/liveupdate":                 "ports 80 and 443",
		"symantec-liveupdate/symantecliveupdate":         "ports 80 and 443",
		"symantec-liveupdate/reputation":                 "ports 80 and 443",
		"symantec-liveupdate/manager-liveupdate":         "take their content from their manager",
		"symantec-liveupdate/manager-symantecliveupdate": "take their content from their manager",
	}
	documents := map[string]string{
		"cyber-command":                "last entry of the change log",
		"endpoint-secure-onprem":       "source ports",
		"symantec-endpoint-protection": "neither version nor date",
		"symantec-liveupdate":          "from their manager",
	}
	for _, p := range parseProfiles(t) {
		if note := documents[p.Name]; !strings.Contains(p.Document.Note, note) {
			t.Errorf("%s: the note of the document, %q, does not say %q", p.Name, p.Document.Note, note)
		}
		for _, r := range p.Rules {
			if note, must := want[r.String()]; must && !strings.Contains(r.Note, note) {
				t.Errorf("%s: the note %q does not say %q", r, r.Note, note)
			}
			if r.Profile == "cyber-command" && r.UDP.Has(53) && r.To[0].Role == "" && !strings.Contains(r.Note, names) {
				t.Errorf("%s: the note %q does not say how 53(UDP) was read", r, r.Note)
			}
			delete(want, r.String())
		}
	}
	for rule := range want {
		t.Errorf("%s: there is no such rule", rule)
	}
}
