// Tests of the topic "profile": it lists what the parser knows, and its example is valid.

package topics

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"sallyport/rules/profile"
	"sallyport/rules/profile/lint"
)

// The topic lists exactly the keys that the parser knows in each table.
func TestTheProfileFormatHasEveryKey(t *testing.T) {
	listed := map[string][]string{}
	for _, row := range profileFormat().Rows {
		table, key, ok := strings.Cut(strings.Trim(row[0], "`"), " ")
		if !ok {
			table, key = "", table
		}
		listed[table] = append(listed[table], key)
	}
	for table, text := range map[string]string{
		"": "zzzzzzzz = 1", "[document]": "[document]\nzzzzzzzz = 1", "[[feature]]": "[[feature]]\nzzzzzzzz = 1",
		"[[port]]": "[[port]]\nzzzzzzzz = 1", "[[rule]]": "[[rule]]\nzzzzzzzz = 1",
	} {
		_, problems := profile.Read("p.toml", []byte(text))
		m := regexp.MustCompile(`unknown key "zzzzzzzz": known here: (.*)`).FindStringSubmatch(problems.Error())
		if m == nil {
			t.Fatalf("%s: %v", table, problems)
		}
		known := slices.DeleteFunc(strings.Split(m[1], ", "), func(key string) bool {
			return table == "" && slices.Contains([]string{"document", "feature", "port", "rule"}, key)
		})
		slices.Sort(listed[table])
		if !slices.Equal(listed[table], known) {
			t.Errorf("%q: the topic lists %q, the parser knows %q", table, listed[table], known)
		}
	}
}

// A key is required in the table if the parser does not do without it.
func TestTheProfileFormatSaysWhatIsRequired(t *testing.T) {
	for _, row := range profileFormat().Rows {
		table, key, ok := strings.Cut(strings.Trim(row[0], "`"), " ")
		if !ok {
			table, key = "", table
		}
		if key == "tcp" || key == "udp" || key == "file" {
			continue // one of several
		}
		// The first table of the kind that has the key loses the key.
		_, after, _ := strings.Cut("\n"+example, "\n"+table)
		line := regexp.MustCompile(`(?m)^` + key + ` .*\n`).FindString(after)
		if line == "" {
			if row[2] == "required" {
				t.Errorf("%s: the example does not have it", row[0])
			}
			continue
		}
		at := strings.Index(example, after) + strings.Index(after, line)
		_, problems := profile.Read("p.toml", []byte(example[:at]+example[at+len(line):]))
		alone := strings.Contains(problems.Error(), key+" is missing") || strings.Contains(problems.Error(), key+`: ""`)
		if alone != (row[2] == "required") {
			t.Errorf("%s is %q; without it: %v", row[0], row[2], problems)
		}
	}
}

// profiles check accepts the example without a warning that is left open.
func TestTheExampleIsAccepted(t *testing.T) {
	sound, findings := lint.Texts([]lint.Text{{File: "made-up.toml", Data: []byte(example)}}, nil)
	if result := lint.NewJSON(sound, findings); result.Errors+result.Warnings > 0 || len(sound) != 1 {
		t.Errorf("%+v", result)
	}
}
