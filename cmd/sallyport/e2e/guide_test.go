//go:build linux

// Guide: the commands of a deployment page, as they stand there.

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// guide is a deployment page's blocks of commands, each to be run once.
type guide struct {
	name   string
	blocks []string
}

// readGuide takes the blocks between two headings: indented lines, and no fence.
func readGuide(t *testing.T, name, from, to string) *guide {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(data), "\n## "+from)
	text, _, ends := strings.Cut(text, "\n## "+to)
	if !found || !ends {
		t.Fatalf("%s has no %q before %q", name, from, to)
	}
	text = regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")
	p := &guide{name: name}
	block := ""
	listed := false // within a numbered step, text is indented by three
	for line := range strings.Lines(text + "\n.\n") {
		if regexp.MustCompile(`^\d+\. `).MatchString(line) {
			listed = true
		} else if regexp.MustCompile(`^\S`).MatchString(line) {
			listed = false
		}
		indent := "    "
		if listed {
			indent = "       "
		}
		if command, ok := strings.CutPrefix(line, indent); ok {
			block += command
			continue
		}
		if block != "" {
			p.blocks = append(p.blocks, block)
		}
		block = ""
	}
	return p
}

// block returns the block that begins so, and takes it away.
func (p *guide) block(t *testing.T, begins string) string {
	t.Helper()
	for i, b := range p.blocks {
		if strings.HasPrefix(b, begins) {
			p.blocks = append(p.blocks[:i:i], p.blocks[i+1:]...)
			return b
		}
	}
	t.Fatalf("%s has no commands that begin with %q, only %q", p.name, begins, p.blocks)
	return ""
}

// done fails when commands are left that nobody ran.
func (p *guide) done(t *testing.T) {
	t.Helper()
	if len(p.blocks) > 0 {
		t.Errorf("%s has commands that no test ran: %q", p.name, p.blocks)
	}
}
