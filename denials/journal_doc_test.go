// Tests that the documented fields are those that are written, in their order.

package denials

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestFieldsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	fields, _, found := strings.Cut(string(doc), "\n## Reasons\n")
	if !found {
		t.Fatal("the page has no reasons behind its fields")
	}
	var documented, written []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)` \\|").FindAllStringSubmatch(fields, -1) {
		documented = append(documented, m[1])
	}
	start := Record{Schema: Schema, Event: EventStart, Own: []string{"10.0.0.1"}} // one of these has own
	if !regexp.MustCompile(`"event":"start","own":\[`).Match(start.Append(nil)) {
		t.Error("own does not stand behind event")
	}
	for _, m := range regexp.MustCompile(`[{,]"([a-z_]+)":`).FindAllStringSubmatch(string(sample.Append(nil)), -1) {
		if written = append(written, m[1]); m[1] == "event" {
			written = append(written, "own")
		}
	}
	if !slices.Equal(documented, written) {
		t.Errorf("documented %q\nwritten    %q", documented, written)
	}
}
