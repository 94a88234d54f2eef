// Package manual writes the man pages and shell completions, from the commands
// themselves and from the reference of the configuration. The shipped binary
// does not contain this package, because cobra's generator brings a Markdown parser
// that a gateway does not need.
package manual

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"sallyport/cmd/sallyport/commandline"
)

// Edition is the date and version that every page shows. Equal editions give
// equal bytes.
type Edition struct {
	Version string
	Date    time.Time
}

// Write writes the man pages of root and of the reference, and the shell
// completions, below dir: to man/man1, man/man5 and completions.
func Write(dir string, root *cobra.Command, reference []byte, e Edition) error {
	files := map[string]string{"man/man5/sallyport.toml.5": referencePage(string(reference), e)}
	if err := commandPages(files, root, e); err != nil {
		return err
	}
	for name, generate := range map[string]func(io.Writer) error{
		"completions/sallyport":      func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"completions/_sallyport":     root.GenZshCompletion,
		"completions/sallyport.fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
	} {
		var b bytes.Buffer
		if err := generate(&b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		files[name] = b.String()
	}
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// flagLines describes the value of each flag, as --help does. The generator
// prints the default instead, which is often empty: --client="".
func flagLines(page string, c *cobra.Command) string {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		before, rest, found := strings.Cut(page, `\fB--`+f.Name+`\fP`)
		_, after, ended := strings.Cut(rest, "\n")
		if f.Hidden || !found || !ended {
			return
		}
		line := `\fB--` + f.Name + `\fP`
		if value, _ := pflag.UnquoteUsage(f); value != "" {
			line += ` \fI` + value + `\fP`
		}
		switch f.DefValue {
		case "", "0", "[]", "false":
		default:
			line += " (default " + f.DefValue + ")"
		}
		page = before + line + "\n" + after
	})
	return page
}

// commandPages adds one page for c and for every visible command below it.
func commandPages(files map[string]string, c *cobra.Command, e Edition) error {
	c.DisableAutoGenTag = true
	c.InitDefaultHelpFlag()
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	header := &doc.GenManHeader{Title: strings.ToUpper(name), Section: "1", Date: &e.Date, Source: "sallyport " + e.Version, Manual: "sallyport"}
	var b bytes.Buffer
	if err := doc.GenMan(c, header, &b); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	files["man/man1/"+name+".1"] = flagLines(b.String(), c)
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() || sub.GroupID == commandline.TopicGroup {
			continue
		}
		if err := commandPages(files, sub, e); err != nil {
			return err
		}
	}
	return nil
}
