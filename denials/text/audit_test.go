// Tests of suggest --audit.

package text

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sallyport/denials/journal"
	"sallyport/rules"
)

// suggest --audit proposes a configuration that permits what mode "audit" let through,
// best documented first. With that configuration, mode "enforce" permits the same.
func TestAuditBecomesAConfiguration(t *testing.T) {
	audited := strings.Replace(fleet, `mode = "enforce"`, `mode = "audit"`, 1)
	s := siteOf(t, audited)
	as := []rules.Attempt{
		attempt(t, manager, "telemetry.vendor.example", 443), attempt(t, manager, "auth.sangfor.com", 443),
		attempt(t, manager, "license.sangfor.com", 8443), attempt(t, agentAddr, "manager.corp.example", 8083),
		attempt(t, manager, "xlicense.sangfor.com", 443), attempt(t, manager, "clt.sangfor.com", 443),
	}
	var rs []journal.Record
	for _, a := range as {
		rs = append(rs, denialOf(t, s, a))
	}
	o := Options{Files: []string{journalOf(t, filepath.Join(t.TempDir(), "j"), rs...)}, Site: s, Audit: true, Now: noon, JSON: true}
	var b bytes.Buffer
	if _, err := WriteSuggest(context.Background(), o, &b); err != nil {
		t.Fatal(err)
	}
	texts := []string{
		"documented for this client, with a setting that is missing", "permitted by a rule of the site that has expired", "documented for another port, protocol or role",
		"near a documented name", "not documented", "only the attempt itself supports the change",
	}
	var known []string
	for line := range strings.Lines(b.String()) {
		var sg suggestionJSON
		if err := json.Unmarshal([]byte(line), &sg); err != nil || !sg.Verified {
			t.Fatalf("%v: %s", err, line)
		}
		known = append(known, sg.Documented)
	}
	if !slices.IsSortedFunc(known, func(a, b string) int {
		return slices.Index(texts, a) - slices.Index(texts, b)
	}) || len(known) != 6 || known[0] != texts[0] || known[5] != texts[len(texts)-1] {
		t.Errorf("order %q", known)
	}
	b.Reset()
	o.JSON, o.Whole = false, true
	if _, err := WriteSuggest(context.Background(), o, &b); err != nil {
		t.Fatal(err)
	}
	enforced := siteOf(t, strings.NewReplacer(`mode = "audit"`, `mode = "enforce"`, "FILL IN", "INC-1").Replace(b.String())) // a person fills it in
	for _, a := range as {
		asks := a.Authority.String() == "manager.corp.example" // the agent's attempt is the only evidence for the manager's address
		if d := enforced.Policy.Decide(a); d.Allowed() == asks || d.Would {
			t.Errorf("%v: %v %v", a.Authority, d.Text(), d.Why())
		}
	}
}
