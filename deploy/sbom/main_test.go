package main

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// The bill of materials of the test binary lists this package's own dependency,
// the standard library, and a hash of each module.
func TestDescribesABinary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, b := range []*bytes.Buffer{&first, &second} {
		if err := run([]string{self, "1.2.3"}, "1700000000", b); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two runs give different bytes")
	}
	var bom struct {
		BomFormat, SpecVersion string
		Metadata               struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct {
			Name, Version, Purl string
			Hashes              []struct{ Content string }
		}
	}
	if err := json.Unmarshal(first.Bytes(), &bom); err != nil {
		t.Fatal(err)
	}
	if bom.BomFormat != "CycloneDX" || bom.SpecVersion != "1.6" || bom.Metadata.Timestamp != "2023-11-14T22:13:20Z" ||
		bom.Metadata.Component.Name != "sallyport" || bom.Metadata.Component.Version != "1.2.3" {
		t.Errorf("%+v", bom)
	}
	found := map[string]bool{}
	for _, c := range bom.Components {
		found[c.Name] = true
		if !strings.HasPrefix(c.Purl, "pkg:golang/"+c.Name+"@") || c.Name != "std" && (len(c.Hashes) != 1 || len(c.Hashes[0].Content) != 64) {
			t.Errorf("component %+v", c)
		}
	}
	if !found["std"] || !found["github.com/CycloneDX/cyclonedx-go"] {
		t.Errorf("found %v", found)
	}
	info := &debug.BuildInfo{GoVersion: "go1.26", Deps: []*debug.Module{
		{Path: "a.example/a", Version: "v1.0.0"}, {Path: "b.example/b", Version: "v1.0.0", Replace: &debug.Module{Path: "c.example/c", Version: "v2.0.0"}},
	}}
	var names []string
	for _, c := range *describe(info, [32]byte{}, "1").Components {
		names = append(names, c.PackageURL)
	}
	if got := strings.Join(names, " "); got != "pkg:golang/std@go1.26 pkg:golang/a.example/a@v1.0.0 pkg:golang/c.example/c@v2.0.0" {
		t.Errorf("a binary with three components has %s", got)
	}
	if err := run([]string{self, "1"}, "", &first); err == nil {
		t.Error("run accepts an empty SOURCE_DATE_EPOCH")
	}
}
