// Tests of the pages: each link leads to a file that the repository, a release and
// an installation have.

package main

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// releasedPapers returns the pages that the Makefile puts into a release.
func releasedPapers(t *testing.T) []string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^papers\s*=((?:.*\\\n)*.*)$`).FindStringSubmatch(deployed(t, "Makefile"))
	if m == nil {
		t.Fatal("the Makefile has no papers")
	}
	return strings.Fields(strings.ReplaceAll(m[1], "\\\n", " "))
}

func TestPapersLinks(t *testing.T) {
	papers := releasedPapers(t)
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	found := 0
	for _, page := range papers {
		if path.Ext(page) != ".md" {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(deployed(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			found++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path.Join(path.Dir(page), file)
			if file == "" {
				target = page
			}
			if !slices.Contains(papers, target) {
				t.Errorf("%s links to %s, which a release does not have", page, m[1])
			} else if anchor != "" && !slices.Contains(anchors(deployed(t, target)), anchor) {
				t.Errorf("%s links to %s, and there is no such heading", page, m[1])
			}
		}
	}
	if found < 15 {
		t.Errorf("only %d links", found)
	}
	script := strings.Fields(strings.NewReplacer("\\\n", " ", ";", " ").Replace(deployed(t, "deploy/install.sh")))
	for _, name := range papers {
		if !slices.Contains(script, name) {
			t.Errorf("install.sh does not install %s", name)
		}
	}
}

// anchors returns the fragments that link to the headings of a page.
func anchors(page string) []string {
	var out []string
	for line := range strings.Lines(page) {
		if words := strings.TrimLeft(line, "#"); words != line {
			out = append(out, strings.Map(func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
					return r
				}
				return -1
			}, strings.ToLower(strings.TrimSpace(words))))
		}
	}
	return out
}
