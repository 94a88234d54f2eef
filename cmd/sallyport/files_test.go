// Tests that ARCHITECTURE.md lists every file with its job.

package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The list of ARCHITECTURE.md is made of the first sentence of each file's first
// comment, of its types and of its exported functions. UPDATE_GOLDEN=1 writes it.
func TestEveryFileIsListed(t *testing.T) {
	const begin, end = "<!-- generated: files -->\n", "<!-- end -->"
	page := deployed(t, "ARCHITECTURE.md")
	from := strings.Index(page, begin)
	to := from + strings.Index(page[max(from, 0):], end)
	if from < 0 || to < from {
		t.Fatalf("ARCHITECTURE.md lacks %s or %s", begin, end)
	}
	from += len(begin)
	want := fileList(t)
	switch {
	case page[from:to] == want:
	case os.Getenv("UPDATE_GOLDEN") != "":
		if err := os.WriteFile("../../ARCHITECTURE.md", []byte(page[:from]+want+page[to:]), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("the list of files in ARCHITECTURE.md is not current: make docs writes it")
	}
}

// fileList returns the list: a part for each package, a line for each file.
func fileList(t *testing.T) string {
	t.Helper()
	_, files := parsed(t)
	slices.SortFunc(files, func(x, y sourceFile) int {
		return cmp.Or(cmp.Compare(filepath.Dir(x.path), filepath.Dir(y.path)), cmp.Compare(x.path, y.path))
	})
	var b strings.Builder
	dir := ""
	for _, f := range files {
		if f.test {
			continue
		}
		if d := filepath.Dir(f.path); d != dir {
			dir = d
			fmt.Fprintf(&b, "\n`%s`\n\n", dir)
		}
		job := firstSentence(f.file)
		if job == "" {
			t.Errorf("%s does not begin with a comment that names its job", f.path)
		}
		fmt.Fprintf(&b, "- `%s`: %s%s\n", filepath.Base(f.path), job, declared(f.file))
	}
	return b.String() + "\n"
}

// declared returns the types and the exported functions of a file, without methods, in
// the order of the file.
func declared(f *ast.File) string {
	var names []string
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if s, ok := s.(*ast.TypeSpec); ok {
					names = append(names, "`"+s.Name.Name+"`")
				}
			}
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() {
				names = append(names, "`"+d.Name.Name+"`")
			}
		}
	}
	if names == nil {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// firstSentence returns the first sentence of a file's first comment, without the
// file's name or "Package …" in front.
func firstSentence(f *ast.File) string {
	for _, c := range f.Comments {
		text := c.Text() // without directives such as go:build
		if text = strings.Join(strings.Fields(text), " "); text == "" {
			continue
		}
		if c.Pos() > f.Package && f.Doc == nil {
			return ""
		}
		if at := strings.Index(text, ". "); at >= 0 {
			text = text[:at]
		}
		return strings.TrimSuffix(text, ".")
	}
	return ""
}
