//go:build linux

// Guide: the unchanged commands of a deployment page or the README, and which of
// them a test has run.

package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// guide is a page's blocks of commands, in order.
type guide struct {
	name   string
	blocks []*guideBlock
}

// guideBlock is one fence of shell, or lines that are indented as code.
type guideBlock struct {
	section  string
	commands []guideCommand
}

// guideCommand is one line, with the text of the comment after it.
type guideCommand struct {
	line, says string
	ran        bool
}

var (
	guideHeading = regexp.MustCompile(`^#+ (.*)`)
	guideFence   = regexp.MustCompile("^\\s*```(\\w*)")
	guideItem    = regexp.MustCompile(`^(\d+\. |- )`)
	guideComment = regexp.MustCompile(`\s+# `)
)

// readGuide returns the commands of a page. Code blocks of other languages, or
// without a language, are configurations and drawings.
func readGuide(t *testing.T, name string) *guide {
	t.Helper()
	text, err := os.ReadFile(repositoryFile(t, name))
	if err != nil {
		t.Fatal(err)
	}
	p := &guide{name: name}
	section, fence, indent := "", "", "    "
	var open *guideBlock // the block that the next command belongs to
	add := func(line string) {
		if open == nil {
			open = &guideBlock{section: section}
			p.blocks = append(p.blocks, open)
		}
		command, says := line, ""
		if at := guideComment.FindStringIndex(line); at != nil {
			command, says = line[:at[0]], line[at[1]:]
		}
		open.commands = append(open.commands, guideCommand{line: strings.TrimSpace(command), says: strings.TrimSpace(says)})
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if m := guideFence.FindStringSubmatch(line); m != nil {
			if open = nil; fence == "" {
				fence = m[0]
			} else {
				fence = ""
			}
			continue
		}
		code, indented := strings.CutPrefix(line, indent)
		switch {
		case strings.HasSuffix(fence, "```sh") && strings.TrimSpace(line) != "":
			add(line)
		case fence != "" || strings.TrimSpace(line) == "":
		case indented:
			add(code)
		default:
			open = nil
			if m := guideHeading.FindStringSubmatch(line); m != nil {
				section = m[1]
			}
			if m := guideItem.FindString(line); m != "" { // the text of an item is indented, too
				indent = strings.Repeat(" ", len(m)+4)
			} else if line[0] != ' ' {
				indent = "    "
			}
		}
	}
	return p
}

// block returns the block with that beginning. The caller runs all of it.
func (p *guide) block(t *testing.T, begins string) string {
	t.Helper()
	for _, b := range p.blocks {
		if !b.commands[0].ran && strings.HasPrefix(b.commands[0].line, begins) {
			var script strings.Builder
			for i := range b.commands {
				b.commands[i].ran = true
				script.WriteString(b.commands[i].line + "\n")
			}
			return script.String()
		}
	}
	t.Fatalf("%s has no block that begins with %q and was not run", p.name, begins)
	return ""
}

// section returns the commands of a section. The caller runs them one by one.
func (p *guide) section(t *testing.T, name string) (commands []guideCommand) {
	t.Helper()
	for _, b := range p.blocks {
		for i := range b.commands {
			if b.section == name {
				b.commands[i].ran = true
				commands = append(commands, b.commands[i])
			}
		}
	}
	if len(commands) == 0 {
		t.Fatalf("%s has no commands in a section %q", p.name, name)
	}
	return commands
}

// command returns the only command that has that beginning and contains the other
// words.
func (p *guide) command(t *testing.T, begins string, words ...string) string {
	t.Helper()
	for _, b := range p.blocks {
		for i, c := range b.commands {
			if strings.HasPrefix(c.line, begins) && lacks(c.line, words...) == nil {
				b.commands[i].ran = true
				return c.line
			}
		}
	}
	t.Fatalf("%s has no command that begins with %q and has %q", p.name, begins, words)
	return ""
}

// done fails for every command that was not run, unless its beginning is in
// elsewhere, the list of commands that other tests run. It also fails for every
// entry of the two lists that excuses no command. A block whose beginning is in
// text is no command: it is input or output.
func (p *guide) done(t *testing.T, elsewhere, text map[string]string) {
	t.Helper()
	used := map[string]bool{}
	excused := func(reasons map[string]string, line string) bool {
		for begins := range reasons {
			if strings.HasPrefix(line, begins) {
				used[begins] = true
				return true
			}
		}
		return false
	}
	for _, b := range p.blocks {
		if !b.commands[0].ran && excused(text, b.commands[0].line) {
			continue
		}
		for _, c := range b.commands {
			if !c.ran && !excused(elsewhere, c.line) {
				t.Errorf("%s has a command that no test runs: %q", p.name, c.line)
			}
		}
	}
	for _, reasons := range []map[string]string{elsewhere, text} {
		for begins, reason := range reasons {
			if !used[begins] {
				t.Errorf("%s has no %q (%s), or it was run", p.name, begins, reason)
			}
		}
	}
}
