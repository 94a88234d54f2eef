// Tests of the limit of nesting: deep texts are refused before the library reads them.

package tomldoc_test

import (
	"strings"
	"testing"

	"sallyport/rules/tomldoc"
)

func TestDeepTextIsRefused(t *testing.T) {
	const levels = 100_000
	for name, text := range map[string]string{
		"a dotted key":              "name = 1\na" + strings.Repeat(".a", levels) + " = 1\n",
		"a header":                  "name = 1\n[a" + strings.Repeat(".a", levels) + "]\n",
		"a quoted key":              "name = 1\n\"a\"" + strings.Repeat(` . "a"`, levels) + " = 1\n",
		"inline tables":             "name = 1\nx = " + strings.Repeat("{a = ", levels) + "1" + strings.Repeat("}", levels) + "\n",
		"a key in an inline table":  "name = 1\nx = {b = 1, a" + strings.Repeat(".a", levels) + " = 1}\n",
		"arrays":                    "name = 1\nx = " + strings.Repeat("[", levels) + "\n",
		"open brackets without end": "name = 1\n" + strings.Repeat("x={", levels) + "\n",
	} {
		doc, top := tomldoc.Parse("deep.toml", []byte(text))
		if err := doc.Problems().Err(); top != nil || err == nil || !strings.HasPrefix(err.Error(), "deep.toml:2: ") || !strings.Contains(err.Error(), "16 levels") {
			t.Errorf("%s: table %v, %v; want an error of line 2", name, top != nil, err)
		}
	}
}

// Dots and brackets in strings and comments are no levels, and neither are many keys of a line.
func TestFlatTextIsRead(t *testing.T) {
	many := strings.Repeat(".a", 1000) + strings.Repeat("[", 1000)
	text := strings.Join([]string{
		"# " + many,
		`a = "` + many + `" # ` + many,
		"b = '" + many + "'",
		`c = ["` + many + `", '''`,
		many,
		`''', """`,
		many + `\""" and a quote`,
		`"""]`,
		"d = [" + strings.Repeat("{x.y = 1.5}, ", 100) + "]",
		`e.f.g.h = [[["x"]]]`,
	}, "\n")
	if doc, top := tomldoc.Parse("flat.toml", []byte(text)); top == nil {
		t.Errorf("%v", doc.Problems())
	}
}
