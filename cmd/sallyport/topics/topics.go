// Package topics prints the help topics "reasons", "journal", "metrics" and "profile":
// tables from the program's own lists. The pages of docs/ contain the same tables.
package topics

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/series"
	"sallyport/denials/journal"
	"sallyport/rules"
)

// A Topic is one table of the help. Cells are Markdown.
type Topic struct {
	Name    string // the name of the command
	Page    string // the page in docs/; "" if the page has the name of the command
	Short   string
	Head    []string
	Rows    [][]string
	Example string // TOML, printed after the table; "" if the topic has none
}

// All returns every topic.
func All() []Topic {
	return []Topic{reasons(), fields(), metrics(), profileFormat()}
}

// Commands returns one command for each topic. terminal reports whether a writer is a
// terminal.
func Commands(terminal func(io.Writer) bool) []*cobra.Command {
	var commands []*cobra.Command
	for _, t := range All() {
		write := func(c *cobra.Command, _ []string) {
			w := c.OutOrStdout()
			if terminal(w) {
				t.writeText(w)
				return
			}
			t.WriteMarkdown(w)
		}
		c := &cobra.Command{Use: t.Name, Short: t.Short, GroupID: commandline.TopicGroup, Args: t.refuse, Run: write}
		c.SetHelpFunc(write)
		commands = append(commands, c)
	}
	return commands
}

// refuse refuses arguments. A person who gives one means a command with a similar name, and not
// the table.
func (t Topic) refuse(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	root := c.Root().Name()
	meant := "see " + root + " help " + t.Name
	switch t.Name {
	case "reasons":
		meant = fmt.Sprintf("%s reasons prints every reason; to list the denials with one reason: %[1]s denials --reason NAME", root)
		if _, err := rules.ParseReason(args[0]); err == nil {
			meant = fmt.Sprintf("to list its denials: %s denials --reason %s", root, args[0])
		}
	case "journal":
		meant = fmt.Sprintf("to read a journal: %s denials --file %s", root, args[0])
	case "profile":
		line := strings.Join(args, " ")
		switch {
		case strings.HasSuffix(args[0], ".toml"):
			line = "check " + line
		case !slices.Contains([]string{"list", "show", "check", "import", "diff", "export"}, args[0]):
			line = "show " + line
		}
		meant = fmt.Sprintf("did you mean: %s profiles %s?", root, line)
	}
	return commandline.Usage("%s takes no argument %q; %s", c.CommandPath(), args[0], meant)
}

// WriteMarkdown writes the table and the example in Markdown.
func (t Topic) WriteMarkdown(w io.Writer) {
	row := func(cells []string) {
		for _, cell := range cells {
			fmt.Fprintf(w, "| %s ", strings.ReplaceAll(cell, "|", `\|`))
		}
		fmt.Fprintln(w, "|")
	}
	row(t.Head)
	fmt.Fprintln(w, strings.Repeat("|---", len(t.Head))+"|")
	for _, cells := range t.Rows {
		row(cells)
	}
	if t.Example != "" {
		fmt.Fprintf(w, "\n```toml\n%s```\n", t.Example)
	}
}

// textWidth is the longest line for a terminal, in characters.
const textWidth = 100

// writeText writes the table and the example for a terminal: each row is one paragraph. The
// paragraph begins with the first cell, and each other cell stands after the
// heading of its column.
func (t Topic) writeText(w io.Writer) {
	indent := 0
	for _, head := range t.Head[1:] {
		indent = max(indent, len(head)+4)
	}
	plain := strings.NewReplacer("`", "")
	for i, cells := range t.Rows {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, plain.Replace(cells[0]))
		for j, cell := range cells[1:] {
			if cell == "" {
				continue
			}
			line := fmt.Sprintf("  %-*s", indent-2, t.Head[j+1])
			for word := range strings.FieldsSeq(plain.Replace(cell)) {
				if len(line)+len(word) >= textWidth && len(line) > indent {
					fmt.Fprintln(w, strings.TrimRight(line, " "))
					line = strings.Repeat(" ", indent)
				}
				line += word + " "
			}
			fmt.Fprintln(w, strings.TrimRight(line, " "))
		}
	}
	if t.Example != "" {
		fmt.Fprintf(w, "\nAn example:\n\n%s", t.Example)
	}
}

// code marks a text as code.
func code(s string) string { return "`" + s + "`" }

func reasons() Topic {
	t := Topic{
		Name:  "reasons",
		Short: "Every reason for a denial: its meaning, its usual cause, and the cure",
		Head:  []string{"reason", "meaning", "usual cause", "what to do"},
	}
	for _, r := range rules.Reasons() {
		e := r.Explain()
		t.Rows = append(t.Rows, []string{code(r.String()), e.Meaning, e.Cause, e.Cure})
	}
	return t
}

func fields() Topic {
	t := Topic{
		Name:  "journal",
		Short: "Every field of a record of the journal: type, meaning, and an example",
		Head:  []string{"field", "schema", "type", "meaning", "example"},
	}
	for _, f := range journal.Fields() {
		t.Rows = append(t.Rows, []string{code(f.Name), strconv.Itoa(f.Schema), f.Type, f.Meaning, code(f.Example)})
	}
	return t
}

func metrics() Topic {
	t := Topic{
		Name:  "metrics",
		Short: "Every metric of /metrics: type, labels, meaning, and an example alert",
		Head:  []string{"metric", "type", "labels", "meaning", "example alert"},
	}
	for _, m := range series.All() {
		var labels []string
		for _, label := range m.Labels {
			labels = append(labels, code(label))
		}
		t.Rows = append(t.Rows, []string{code(m.Name), m.Type, strings.Join(labels, ", "), m.Help, m.Alert})
	}
	return t
}
