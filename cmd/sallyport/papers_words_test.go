// Tests of the words of code and pages: the glossary's, the files' names, and the
// dependencies.

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// replaced are words that the glossary of ARCHITECTURE.md replaced; riddles are
// words that hide who acts. Tests may use the second kind.
const (
	replaced = `wish|wishes|sight|foresee|foresees|foreseen|sorry|hush|hushed|vouch|vouches|giveback|greet|greets|stranger|strangers`
	riddles  = `|whoever|nobody|anybody|somebody`
)

func TestPapersGlossaryWords(t *testing.T) {
	const root = "../.."
	inTests := regexp.MustCompile(`(?i)\b(` + replaced + `)\b`)
	elsewhere := regexp.MustCompile(`(?i)\b(` + replaced + riddles + `)\b`)
	camel := regexp.MustCompile(`([a-z])([A-Z])`)
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == ".git" || d.Name() == "dist" || d.Name() == "testdata" || d.Name() == "profiles") {
			return filepath.SkipDir
		}
		if ext := filepath.Ext(path); ext != ".go" && ext != ".md" || d.Name() == "papers_words_test.go" || d.Name() == "CHANGELOG.md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		path, _ = filepath.Rel(root, path)
		for i, line := range strings.Split(camel.ReplaceAllString(string(text), "$1 $2"), "\n") {
			for _, quoted := range []string{"user nobody", "nobody.invalid"} { // a user and a mailbox
				line = strings.ReplaceAll(line, quoted, "")
			}
			word := elsewhere
			if strings.HasSuffix(path, "_test.go") {
				word = inTests
			}
			if m := word.FindString(line); m != "" {
				t.Errorf("%s:%d: %q is not a word of the glossary", path, i+1, m)
			}
		}
		return nil
	})
	if err != nil || files < 300 {
		t.Fatalf("%d files: %v", files, err)
	}
}

// Each Go file that ARCHITECTURE.md names exists.
func TestPapersFilesExist(t *testing.T) {
	_, files := parsed(t)
	known := map[string]bool{}
	for _, f := range files {
		known[f.path], known[filepath.Base(f.path)] = true, true
	}
	names := regexp.MustCompile("`([a-z0-9_/]+\\.go)`").FindAllStringSubmatch(deployed(t, "ARCHITECTURE.md"), -1)
	if len(names) < 40 {
		t.Errorf("only %d files", len(names))
	}
	for _, m := range names {
		if !known[m[1]] {
			t.Errorf("ARCHITECTURE.md names %s, which does not exist", m[1])
		}
	}
}

// docs/dependencies.md has each direct dependency and each tool of go.mod, and no other.
func TestPapersDependencies(t *testing.T) {
	var needed []string
	tools := map[string]bool{}
	mod := deployed(t, "go.mod")
	for _, m := range regexp.MustCompile(`(?m)^tool (\S+)$`).FindAllStringSubmatch(mod, -1) {
		tools[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v\S+( // indirect)?$`).FindAllStringSubmatch(mod, -1) {
		isTool := false
		for tool := range tools {
			isTool = isTool || strings.HasPrefix(tool, m[1]+"/")
		}
		if m[2] == "" || isTool {
			needed = append(needed, m[1])
		}
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [^|]{10,} \\|$").FindAllStringSubmatch(deployed(t, "docs/dependencies.md"), -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(needed)
	slices.Sort(listed)
	if !slices.Equal(needed, listed) || len(needed) < 20 {
		t.Errorf("go.mod needs %q\nlisted are %q", needed, listed)
	}
}
