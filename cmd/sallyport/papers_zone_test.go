// Test of the times that people read: each has its zone.

package main

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

func TestPapersTimesHaveAZone(t *testing.T) {
	elsewhere := []string{
		"denials/page_chart.go", "denials/page_render.go", // the headings of the page have "UTC"
		"cmd/sallyport/gateway/admin_page.go", // "UTC" stands after it
		"denials/table.go",                    // the terminal's tables
		"denials/when.go",                     // reads times
	}
	set, files := parsed(t)
	layouts := 0
	for _, f := range files {
		ast.Inspect(f.file, func(n ast.Node) bool {
			lit, is := n.(*ast.BasicLit)
			if !is || f.test || lit.Kind != token.STRING || !strings.Contains(lit.Value, "15:04") {
				return true
			}
			layouts++
			zone := slices.ContainsFunc([]string{"UTC", "MST", "Z07:00", "-07:00", "Z\"", "-0700"}, func(z string) bool { return strings.Contains(lit.Value, z) })
			if !zone && !slices.Contains(elsewhere, f.path) {
				t.Errorf("%s: the time %s has no zone", set.Position(lit.Pos()), lit.Value)
			}
			return true
		})
	}
	if layouts == 0 {
		t.Error("no layout of a time was found")
	}
}
