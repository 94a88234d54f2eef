// Tests that the documented fields are those that are written, in their order.

package denials

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

func TestFieldsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, written []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)` \\|").FindAllStringSubmatch(string(doc), -1) {
		documented = append(documented, m[1])
	}
	for _, m := range regexp.MustCompile(`[{,]"([a-z_]+)":`).FindAllStringSubmatch(string(sample.Append(nil)), -1) {
		written = append(written, m[1])
	}
	if !slices.Equal(documented, written) {
		t.Errorf("documented %q\nwritten    %q", documented, written)
	}
}
