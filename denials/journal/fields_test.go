// Tests that Fields describes the fields as Append writes them, and that the
// manual lists the same fields in the same order.

package journal

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestFieldsAreThoseWritten compares the list with a record that has every field.
func TestFieldsAreThoseWritten(t *testing.T) {
	var listed, written []string
	for _, f := range Fields() {
		listed = append(listed, f.Name)
	}
	start := Record{Schema: Schema, Event: EventStart, Own: []string{"10.0.0.1"}} // only a start has own
	if !regexp.MustCompile(`"event":"start","own":\[`).Match(start.Append(nil)) {
		t.Error("own does not stand after event")
	}
	for _, m := range regexp.MustCompile(`[{,]"([a-z_]+)":`).FindAllStringSubmatch(string(sample.Append(nil)), -1) {
		if written = append(written, m[1]); m[1] == "event" {
			written = append(written, "own")
		}
	}
	if !slices.Equal(listed, written) {
		t.Errorf("listed  %q\nwritten %q", listed, written)
	}
}

// TestFieldExamplesAreOfTheirType reads each example as the value of its field.
func TestFieldExamplesAreOfTheirType(t *testing.T) {
	for _, f := range Fields() {
		var v any
		if err := json.Unmarshal([]byte(f.Example), &v); err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		want := map[string]reflect.Kind{"number": reflect.Float64, "text": reflect.String, "list": reflect.Slice, "true": reflect.Bool}[f.Type]
		if reflect.TypeOf(v).Kind() != want || f.Meaning == "" || strings.ContainsAny(f.Meaning, "|\n") || f.Schema < 1 || f.Schema > Schema {
			t.Errorf("%+v", f)
		}
		line := fmt.Sprintf(`{"schema":2,"time":"2026-11-22T12:00:00Z","event":"start",%q:%s}`, f.Name, f.Example)
		var r Record
		if err := newDecoder().decode([]byte(line), &r); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// row returns a field's row in the manual.
func (f Field) row() string {
	return fmt.Sprintf("| `%s` | %d | %s | %s | `%s` |", f.Name, f.Schema, f.Type, f.Meaning, f.Example)
}

func TestFieldsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	fields, _, found := strings.Cut(string(doc), "\n## Reasons\n")
	if !found {
		t.Fatal("the page has no reasons after its fields")
	}
	var want []string
	for _, f := range Fields() {
		want = append(want, f.row())
	}
	if got := regexp.MustCompile("(?m)^\\| `.*$").FindAllString(fields, -1); !slices.Equal(got, want) {
		t.Errorf("the table of docs/journal.md is not that of Fields; it should be\n%s", strings.Join(want, "\n"))
	}
}
