// Tests of conditions: a row that does not apply to every site is no rule, and what applies to
// every site stays one.

package draft

import (
	"regexp/syntax"
	"strings"
	"testing"
)

// Each text stands in the purpose, in the notes, in an unknown column and in the heading.
func TestConditionsInWords(t *testing.T) {
	const condition, version = "states a condition: ", "names a version or an age: "
	for text, doubt := range map[string]string{
		"Usage statistics (optional)": condition, "Optional": condition, "Remote support. Only when a case is open": condition, "Sign-on, if you use SSO": condition,
		"Unless the proxy is on": condition, "Only for the EU region": condition, "When integrated with Neural-X": condition, "EU customers only": condition,
		"Updates, except in offline mode": condition, "Used only if needed": condition, "Not required with a local update server": condition,
		"Can be disabled under System": condition, "After you accept the agreement, files are sent": condition, "Depending on the edition": condition,
		"Requires the Sandbox license": condition, "For customers with EU data residency": condition, "where applicable": condition,
		"Telemetrie (optional)": condition, "Nur bei Bedarf": condition, "Wenn die Funktion aktiv ist": condition, "Falls lizenziert": condition,
		"Si vous utilisez SSO": condition, "facultatif": condition, "lorsque le module est actif": condition, "Solo si usa SSO": condition, "opcional": condition,
		"Quando attivo": condition, "Opcjonalnie": condition, "Jeśli używasz": condition, "если включено": condition,
		"可选": condition, "如果启用沙箱": condition, "仅在启用时": condition, "当启用沙箱时使用": condition, "オプション": condition, "有効な場合": condition,
		"Only by appliances older than 7.2": version, "From version 6.0.4": version, "Since 14.2": version, "Since v. 14.2": version, "until v7.2": version, "No longer used from 6.0.4 and later versions": version,
		"7.2 or newer": version, "Deprecated: use b.example": version, "Legacy clients": version, "Ab Version 7": version, "Od wersji 14.2": version, "6.0 以上": version,

		"License activation and renewal": "", "Firmware and package updates": "", "Used to obtain version information of rule databases": "", "HTTPS only": "", "Outbound only": "",
		"Read-only access": "", "Wi-Fi notification service": "", "Sender reputation queries": "", "Required on every appliance": "", "Notifications": "", "Used for download and upload": "",
		"From 192.0.2.1 to the server": "", "Siehe Handbuch": "", "Wird für Updates benötigt": "", "Se connecte au serveur": "", "Servicio de actualización": "", "当前版本": "", "若干服务": "", "系统升级": "",
		"Lizenzprüfung": "", "Aktualizacja sygnatur": "", "обновление": "", "ライセンス認証": "", "IF-MAP server": "", "Whitelisting": "",
		"Is required for license activation": "", "Needed for updates of the server": "",
	} {
		for where, doc := range map[string]string{
			"purpose": "<table><tr><th>Host<th>Port<th>Purpose<tr><td>a.example<td>TCP 443<td>" + text + "</table>",
			"note":    "<table><tr><th>Host<th>Port<th>Purpose<th>Note<tr><td>a.example<td>TCP 443<td>x<td>" + text + "</table>",
			"unknown": "<table><tr><th>Host<th>Port<th>Purpose<th>Thing<tr><td>a.example<td>TCP 443<td>x<td>" + text + "</table>",
			"heading": "<h2>" + text + "</h2><table><tr><th>Host<th>Port<th>Purpose<tr><td>a.example<td>TCP 443<td>x</table>",
		} {
			if where == "heading" && strings.HasPrefix(text, "Outbound") || where == "unknown" && text == "Outbound only" {
				continue
			}
			d := read(t, HTML, doc, Options{})
			got := strings.Join(d.Rows[0].Doubts, "; ")
			if (doubt == "") != (got == "") || !strings.Contains(got, doubt) {
				t.Errorf("%s %q: doubts %q, want %q", where, text, got, doubt)
			}
			if out := string(d.TOML()); doubt == condition && !strings.Contains(out, "# [[feature]]\n# name    = \"a\"\n# meaning = \"") || doubt == condition && !strings.Contains(out, "\n# when    = [\"a\"]\n") {
				t.Errorf("%s %q: the NOTE proposes no feature\n%s", where, text, out)
			} else if doubt != condition && strings.Contains(out, "[[feature]]") {
				t.Errorf("%s %q: a feature\n%s", where, text, out)
			}
		}
	}
}

// The words stand in the cell of the host or the port, beside the value.
func TestConditionBesideTheValue(t *testing.T) {
	d := read(t, CSV, "Host,Port,Purpose\na.example (optional),TCP 443,x\nb.example,TCP 443 if needed,x\nif.example when.c.example,TCP 443,x\n", Options{})
	for i, want := range []string{`the row states a condition: "(optional)"`, `the row states a condition: "TCP 443 if needed"`, ""} {
		if got := strings.Join(d.Rows[i].Doubts, "; "); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("row %d: %q, want %q", i+1, got, want)
		}
	}
}

// Two cells and the heading state conditions: the NOTE quotes each of them, and says once what makes
// a rule conditional. A version is another kind of condition.
func TestConditionsOfSeveralCells(t *testing.T) {
	const head = "Host,Port,Purpose,Note,Remark\n"
	for _, c := range []struct {
		format     Format
		text, want string
	}{
		{CSV, head + "a.example,TCP 443,\"Usage metrics, if you take part\",Optional,x\n",
			`the row states a condition: "Usage metrics, if you take part" and "Optional"; a feature makes a rule conditional`},
		{CSV, head + "a.example,TCP 443,Optional,Optional,x\n", `the row states a condition: "Optional"; a feature makes a rule conditional`},
		{CSV, head + "a.example,TCP 443,Since 14.2,\"Metrics, if on\",until v15.1\n",
			`the row states a condition: "Metrics, if on"; a feature makes a rule conditional; ` +
				`the row names a version or an age: "Since 14.2" and "until v15.1"; since and until say from which version a rule holds, and until which`},
		{HTML, "<h2>Cloud (optional)</h2><table><tr><th>Host<th>Port<th>Purpose<tr><td>a.example<td>TCP 443<td>Sandbox, if licensed</table>",
			`the heading states a condition: "Cloud (optional)"; the row states a condition: "Sandbox, if licensed"; a feature makes a rule conditional`},
	} {
		if out := string(read(t, c.format, c.text, Options{}).TOML()); !strings.Contains(out, " is no rule yet: "+c.want+".\n") {
			t.Errorf("want %s\n%s", c.want, out)
		}
	}
}

// A column that says whether a row is required.
func TestColumnOfRequiredRows(t *testing.T) {
	for _, title := range []string{"Required?", "Mandatory", "Erforderlich", "Obligatoire", "必须"} {
		d := read(t, CSV, "Host,Port,Purpose,"+title+"\na.example,TCP 443,x,Yes\nb.example,TCP 443,x,No\nc.example,TCP 443,x,Recommended\n", Options{})
		if d.Decided() != 1 || len(d.Rows[0].Doubts) > 0 || !strings.Contains(strings.Join(d.Rows[1].Doubts, ""), title+": No") {
			t.Errorf("%s: want one rule\n%s", title, summary(d))
		}
	}
	if d := read(t, CSV, "Host,Port,Purpose,Encrypted\na.example,TCP 443,x,No\n", Options{}); d.Decided() != 1 {
		t.Errorf("a column about something else:\n%s", summary(d))
	}
}

// A list for machines says it with a flag.
func TestOptionalEntryOfAList(t *testing.T) {
	d, err := FromMachine(M365, fixture(t, "m365.json"), Options{Name: "m", Title: "T", Role: "client"}, Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if out := string(d.TOML()); d.Decided() != 2 || !strings.Contains(out, "# name    = \"id-31\"\n") || !strings.Contains(out, "# when    = [\"id-31\"]\n") {
		t.Errorf("%d rules, want the two required entries\n%s", d.Decided(), out)
	}
}

// examples returns texts that a pattern matches: one for each of its alternatives.
func examples(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return []string{string(re.Rune)}
	case syntax.OpCharClass:
		return []string{string(re.Rune[0])}
	case syntax.OpCapture, syntax.OpPlus:
		return examples(re.Sub[0])
	case syntax.OpQuest:
		return append(examples(re.Sub[0]), "")
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			out = append(out, examples(sub)...)
		}
		return out
	case syntax.OpRepeat:
		return []string{strings.Repeat(examples(re.Sub[0])[0], re.Min)}
	case syntax.OpConcat:
		out := []string{""}
		for _, sub := range re.Sub {
			var longer []string
			for _, front := range out {
				for _, back := range examples(sub) {
					longer = append(longer, front+back)
				}
			}
			out = longer
		}
		return out
	}
	return []string{""}
}

// Each word of the lists is found, although a text without a signal is not searched.
func TestEachWordOfTheListsIsFound(t *testing.T) {
	n := 0
	for _, word := range append(append([]string{}, conditionWords...), versionWords...) {
		re, err := syntax.Parse(word, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range examples(re) {
			n++
			if text = clean(text); len(conditionsIn("row", "Xxxx "+text+" xxx")) == 0 && len(conditionsIn("row", "Xxxx "+text)) == 0 {
				t.Errorf("%q of %s states no condition", text, word)
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d examples", n)
	}
}
