// Tests of the man pages and completions: they contain the texts of the commands and
// of the reference, and man(1) prints no warning.

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/manual"
	"sallyport/configs"
)

// needsTools skips the test if a tool is not installed.
func needsTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("SALLYPORT_E2E") == "required" {
			t.Fatalf("%s is not installed", tool)
		}
		t.Skipf("%s is not installed", tool)
	}
}

// writeManual returns the directory of a manual, and its files.
func writeManual(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	e := manual.Edition{Version: "1.2.3", Date: time.Unix(1700000000, 0).UTC()}
	if err := manual.Write(dir, newRoot(), configs.Reference(), e); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, files
}

// visible calls f for every command that help lists, but for the topics.
func visible(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" && sub.GroupID != commandline.TopicGroup {
			visible(sub, f)
		}
	}
}

// Every command has a page, with every word of its text and every flag.
func TestManPages(t *testing.T) {
	dir, files := writeManual(t)
	roff := strings.NewReplacer(`\-`, "-", `\&`, "", `\[u2026]`, "…", `\(aq`, "'", `\e`, `\`, `\\`, `\`)
	pages := 0
	visible(newRoot(), func(c *cobra.Command) {
		pages++
		name := strings.ReplaceAll(c.CommandPath(), " ", "-")
		data, err := os.ReadFile(filepath.Join(dir, "man", "man1", name+".1"))
		if err != nil {
			t.Error(err)
			return
		}
		text := roff.Replace(string(data))
		if !strings.HasPrefix(text, ".nh") || !strings.Contains(text, `"Nov 2023" "sallyport 1.2.3"`) || strings.Contains(text, "Auto generated") {
			t.Errorf("%s begins with %.80q", name, text)
		}
		for word := range strings.FieldsSeq(c.Short + " " + c.Long + " " + c.Example) {
			if !strings.Contains(text, word) {
				t.Errorf("%s: the page lacks %q", name, word)
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			line := `--` + f.Name + `\fP`
			if takes, _ := pflag.UnquoteUsage(f); takes != "" {
				line += ` \fI` + takes + `\fP`
			}
			if !f.Hidden && !strings.Contains(text, line) {
				t.Errorf("%s: the page lacks %s", name, line)
			}
		})
	})
	if pages < 15 || len(files) != pages+1 { // and sallyport.toml(5)
		t.Errorf("%d commands and %d pages: %q", pages, len(files), files)
	}
	for _, shell := range []string{"sallyport", "_sallyport", "sallyport.fish"} {
		if data, err := os.ReadFile(filepath.Join(dir, "completions", shell)); err != nil || !bytes.Contains(data, []byte("__complete")) {
			t.Errorf("completion %s: %v", shell, err)
		}
	}
}

// sallyport.toml(5) has every table, key and word of the reference.
func TestManPageOfConfiguration(t *testing.T) {
	dir, _ := writeManual(t)
	data, err := os.ReadFile(filepath.Join(dir, "man", "man5", "sallyport.toml.5"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`\-`, "-", `\&`, "", `\fB`, "", `\fR`, "", `\e`, `\`).Replace(string(data))
	lines := 0
	for i, line := range strings.Split(string(configs.Reference()), "\n") {
		if i == 0 {
			continue // the file's own title
		}
		lines++
		for word := range strings.FieldsSeq(line) {
			if !strings.Contains(text, strings.TrimPrefix(word, "#")) {
				t.Errorf("reference.toml:%d: the page lacks %q", i+1, word)
			}
		}
	}
	if strings.Contains(text, " = \n") || strings.Contains(text, "\n = ") {
		t.Error("the page has a key without a name or a value: the rest of a comment was taken for a key")
	}
	if headings := strings.Count(text, "\n.SH ["); lines < 100 || headings < 12 {
		t.Errorf("%d lines, %d tables", lines, headings)
	}
}

// man(1) formats every page without a warning, and finds its name.
func TestManPagesFormat(t *testing.T) {
	t.Parallel()
	needsTools(t, "man", "groff", "lexgrog")
	_, files := writeManual(t)
	for _, file := range files {
		cmd := exec.Command("man", "--warnings", "--encoding=UTF-8", "--local-file", file)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANPAGER=cat", "MANWIDTH=80")
		var out, complaints bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaints
		if err := cmd.Run(); err != nil || complaints.Len() > 0 || out.Len() < 300 {
			t.Errorf("man %s: %v, %d bytes\n%s", filepath.Base(file), err, out.Len(), complaints.String())
		}
		if out, err := exec.Command("lexgrog", file).CombinedOutput(); err != nil || !regexp.MustCompile(`: "sallyport\S* - `).Match(out) {
			t.Errorf("apropos finds nothing in %s: %s", filepath.Base(file), out)
		}
	}
}
