// Tests of the comments beside rules.

package lint

import (
	"strings"
	"testing"
)

func TestBeside(t *testing.T) {
	const draft = "name = \"d\"\nproduct = \"D\"\nroles = [\"server\"]\n[document]\ntitle = \"T\"\n\n# Also in the row: x\n[[rule]]\nid = \"a\"\nfrom = \"server\"\nto = [\"a.example\"]\ntcp = [443]\npurpose = \"p\"\nsection = \"1\"\n\n" +
		"[[rule]]\nid = \"w\"\nfrom = \"server\"\nto = [\"*.w.example\"]\ntcp = [443]\npurpose = \"p\"\nsection = \"1\"\n"
	_, findings := Texts([]Text{{File: "d", Data: []byte(draft)}}, nil)
	text, rules := Beside([]byte(draft), findings)
	want := "# NOTE beside the rule: *.w.example permits every name below w.example, but"
	if rules != 1 || strings.Count(string(text), "NOTE") != 1 || !strings.Contains(string(text), "\n\n"+want) {
		t.Errorf("%d rules\n%s", rules, text)
	}
	profiles, again := Texts([]Text{{File: "d", Data: text}}, nil)
	if len(profiles) != 1 || len(profiles[0].Notes) != 0 || len(again) != len(findings) {
		t.Errorf("a comment beside a rule is no row without a decision: %v", again)
	}
	noted := strings.Replace(draft, "to = [\"*.w.example\"]", "note = \"It prints *.w.example.\"\nto = [\"*.w.example\"]", 1)
	_, findings = Texts([]Text{{File: "d", Data: []byte(noted)}}, nil)
	if text, rules = Beside([]byte(noted), findings); rules != 0 || string(text) != noted {
		t.Errorf("a note explains the finding\n%s", text)
	}
}
