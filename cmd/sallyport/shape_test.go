// Shape: the numbers that keep the code readable. Each test names the offenders.

package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A sourceFile is one parsed Go file of the module.
type sourceFile struct {
	path  string // from the root of the module
	lines int
	test  bool
	file  *ast.File
}

// parsed returns every Go file except the files of bench, which is a module of
// its own.
func parsed(t *testing.T) (*token.FileSet, []sourceFile) {
	t.Helper()
	const root = "../.."
	var files []sourceFile
	set := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		if err != nil || d.IsDir() && (name == "bench" || name == "testdata" || name == ".git" || name == "dist") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		path, _ = filepath.Rel(root, path)
		tree, err := parser.ParseFile(set, path, text, parser.ParseComments)
		files = append(files, sourceFile{path, bytes.Count(text, []byte{'\n'}), strings.HasSuffix(name, "_test.go"), tree})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 300 {
		t.Fatalf("only %d files", len(files))
	}
	return set, files
}

func TestShapeFilesAreShort(t *testing.T) {
	_, files := parsed(t)
	const mayBeCommands = 15
	commands := 0
	for _, f := range files {
		if f.lines > 300 {
			t.Errorf("%s has %d lines; a file has at most 300", f.path, f.lines)
		}
		if filepath.Dir(f.path) == "cmd/sallyport" && !f.test {
			commands++
			if f.lines > 200 {
				t.Errorf("%s has %d lines; a command has at most 200", f.path, f.lines)
			}
		}
	}
	if commands > mayBeCommands {
		t.Errorf("cmd/sallyport has %d files; it has at most %d", commands, mayBeCommands)
	}
}

func TestShapeFunctionsAreShort(t *testing.T) {
	set, files := parsed(t)
	for _, f := range files {
		for _, d := range f.file.Decls {
			fn, is := d.(*ast.FuncDecl)
			if !is {
				continue
			}
			if fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s: an init function", set.Position(fn.Pos()))
			}
			if f.test {
				continue // tables of tests
			}
			if n := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1; n > 70 {
				t.Errorf("%s: %s has %d lines; at most 70", set.Position(fn.Pos()), fn.Name.Name, n)
			}
		}
	}
}

// Every exported name of a package has a comment. staticcheck checks the form of
// the comment (ST1000, ST1020 to ST1022).
func TestShapeExportedIsDocumented(t *testing.T) {
	set, files := parsed(t)
	packages := map[string]bool{}
	for _, f := range files {
		if f.test {
			continue
		}
		dir := filepath.Dir(f.path)
		packages[dir] = packages[dir] || f.file.Doc != nil
		if f.file.Name.Name == "main" {
			continue
		}
		for _, d := range f.file.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s has no comment", set.Position(name.Pos()), name.Name)
			}
		}
	}
	for dir, documented := range packages {
		if !documented {
			t.Errorf("%s: the package has no comment", dir)
		}
	}
}

// undocumented returns the exported names that a declaration leaves without a comment.
func undocumented(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
						names = append(names, name)
					}
				}
			}
		}
	}
	return names
}

// exportedReceiver reports whether a function is no method, or is a method of an
// exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	exported := false
	ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
		if id, is := n.(*ast.Ident); is {
			exported = id.IsExported()
			return false
		}
		return true
	})
	return exported
}

// A package variable is written where it is declared and nowhere else.
func TestShapeNoMutablePackageVariables(t *testing.T) {
	set, files := parsed(t)
	variables := map[string]map[string]bool{} // by directory
	for _, f := range files {
		dir := filepath.Dir(f.path)
		for _, d := range f.file.Decls {
			g, is := d.(*ast.GenDecl)
			if !is || g.Tok != token.VAR || f.test {
				continue
			}
			for _, s := range g.Specs {
				for _, name := range s.(*ast.ValueSpec).Names {
					if variables[dir] == nil {
						variables[dir] = map[string]bool{}
					}
					if variables[dir][name.Name] = true; mutableType(s.(*ast.ValueSpec)) && !embedded(g) && !slices.Contains(mutableByReason, dir+" "+name.Name) {
						t.Errorf("%s: the package variable %s can change", set.Position(name.Pos()), name.Name)
					}
				}
			}
		}
	}
	for _, f := range files {
		known := variables[filepath.Dir(f.path)]
		ast.Inspect(f.file, func(n ast.Node) bool {
			for _, id := range written(n) {
				if known[id.Name] && (id.Obj == nil || f.file.Scope.Lookup(id.Name) == id.Obj) {
					t.Errorf("%s: the package variable %s is written", set.Position(id.Pos()), id.Name)
				}
			}
			return true
		})
	}
}

// mutableByReason lists the package variables whose type can change: "directory name".
var mutableByReason = []string{
	"cmd/sallyport revision", // the linker sets it
}

// mutableType reports whether a declaration has a type that exists to be changed.
func mutableType(s *ast.ValueSpec) bool {
	mutable := false
	check := func(e ast.Expr) {
		ast.Inspect(e, func(n ast.Node) bool {
			if _, is := n.(*ast.FuncLit); is {
				return false
			}
			if sel, is := n.(*ast.SelectorExpr); is {
				if id, is := sel.X.(*ast.Ident); is && (id.Name == "atomic" || id.Name == "sync" && sel.Sel.Name != "OnceValue" && sel.Sel.Name != "OnceValues") {
					mutable = true
				}
			}
			return true
		})
	}
	if s.Type != nil {
		check(s.Type)
	}
	for _, v := range s.Values {
		check(v)
	}
	return mutable || len(s.Values) == 0
}

// embedded reports whether go:embed fills the variable.
func embedded(d *ast.GenDecl) bool {
	return d.Doc != nil && strings.HasPrefix(d.Doc.List[len(d.Doc.List)-1].Text, "//go:embed ")
}

// written returns the variables that a node writes, or whose address it takes.
func written(n ast.Node) (out []*ast.Ident) {
	add := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				e = x.X
			case *ast.ParenExpr:
				e = x.X
			case *ast.Ident:
				out = append(out, x)
				return
			default:
				return
			}
		}
	}
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			for _, e := range n.Lhs {
				add(e)
			}
		}
	case *ast.IncDecStmt:
		add(n.X)
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			add(n.X)
		}
	}
	return out
}
