// Profiles decide: the command that lists the open rows of a draft, and writes the decisions of a
// person about them.

package catalogue

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/denials/text"
	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/profile/lint"
	"sallyport/rules/profile/merge"
)

// decideOptions are the flags of profiles decide.
type decideOptions struct {
	accept, keep, leaveOut []string
	output                 string
	asJSON                 bool
}

func newDecide() *cobra.Command {
	var o decideOptions
	c := &cobra.Command{
		Use:   "decide FILE",
		Short: "List the open rows of a draft on one screen, and write your decisions",
		Long: `decide lists each NOTE of a draft: its id, the row, the open question, the rule that the
NOTE proposes. It also lists the rules with a warning beside them.

With --output, decide writes the profile with your decisions. Each decision is ID=REASON:

  --accept     the proposal becomes a rule, as it is listed. For a rule with a warning:
               the rule is right
  --leave-out  the row becomes a comment, and permits nothing
  --keep       of a conflict of profiles merge: your rule stays, and not the document's

The reason goes into the note of the rule, or into the comment. A reason is an answer
that you have found: in the document, from the vendor, in your site. If the proposal of
a row is wrong, do not decide the row here: edit the file.

Rows that you do not decide stay a NOTE, and permit nothing. decide all other rows later
in the same way: FILE may be the file of --output.

Exit status: 0; 1 if a decision does not fit, and then nothing is written; 2 if the
command line is wrong.`,
		Example: `  sallyport profiles decide draft-3.toml
  sallyport profiles decide draft-3.toml --output backup.toml --accept "update=the footnote says so" --leave-out "support=not used here"
  sallyport profiles decide backup.toml --output backup.toml --accept "time=the vendor says UDP"
  sallyport profiles decide draft-3.toml --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return commandline.Usage("profiles decide takes one file: the draft, or the profile with open rows")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.accept, "accept", nil, "make a rule of the proposal: `ID=REASON`; may be repeated")
	f.StringArrayVar(&o.leaveOut, "leave-out", nil, "make no rule of the row: `ID=REASON`; may be repeated")
	f.StringArrayVar(&o.keep, "keep", nil, "of a conflict: keep your rule: `ID=REASON`; may be repeated")
	f.StringVarP(&o.output, "output", "o", "", "write the profile to `FILE`")
	f.BoolVar(&o.asJSON, "json", false, "print the open rows as JSON")
	_ = c.MarkFlagFilename("output", "toml")
	c.RunE = func(c *cobra.Command, args []string) error { return o.run(args[0], c.OutOrStdout()) }
	return c
}

// run lists, or writes.
func (o *decideOptions) run(file string, out io.Writer) error {
	decisions, err := o.decisions()
	if err != nil {
		return err
	}
	data, err := readWhole(file, nil, profile.MaxSize)
	if err != nil {
		return err
	}
	draft := merge.Text{File: file, Data: data}
	switch {
	case len(decisions) > 0 && o.output == "":
		return commandline.Usage("decisions need --output FILE: %s stays as it is, unless FILE is %[1]s", file)
	case len(decisions) == 0:
		return o.list(draft, out)
	}
	shipped, err := gateway.ShippedProfiles()
	if err != nil {
		return err
	}
	if data, err = merge.Decide(draft, decisions); err != nil {
		return err
	}
	nameSubjects(decisions, data, shipped)
	if data, err = merge.Decide(draft, decisions); err != nil {
		return err
	}
	if err := replaceFile(o.output, data); err != nil {
		return err
	}
	left, err := merge.Open(merge.Text{File: o.output, Data: data})
	if err != nil {
		return err
	}
	if o.asJSON {
		return text.WriteJSON(out, left, "  ")
	}
	fmt.Fprintf(out, "%s: %s decided, %d left\n", o.output, rules.Counted(len(decisions), "row", "rows"), len(left))
	next := "edit each NOTE that is left, or decide it: sallyport profiles decide " + o.output
	if len(left) == 0 {
		next = "sallyport profiles check --strict " + o.output
	}
	_, err = fmt.Fprintf(out, "next: %s\n", next)
	return err
}

// list prints the open rows.
func (o *decideOptions) list(draft merge.Text, out io.Writer) error {
	questions, err := merge.Open(draft)
	if err != nil {
		return err
	}
	if o.asJSON {
		return text.WriteJSON(out, questions, "  ")
	}
	w := bufio.NewWriter(out)
	merge.WriteOpen(w, draft.File, questions, terminal.Printable)
	keep := ""
	if slices.ContainsFunc(questions, func(q merge.Question) bool { return len(q.Mine) > 0 }) {
		keep = ", --keep \"ID=REASON\""
	}
	if len(questions) > 0 {
		fmt.Fprintf(w, "next: sallyport profiles decide %s --output %s, with --accept \"ID=REASON\"%s or --leave-out \"ID=REASON\" for each row\n", draft.File, reviewedFile(draft), keep)
	}
	return w.Flush()
}

// reviewedFile returns the file that the decisions go to: the profile's name beside the draft. A
// merged profile stays where it is.
func reviewedFile(draft merge.Text) string {
	p, err := profile.Parse(draft.File, draft.Data)
	if err != nil || strings.Contains(string(draft.Data), "#   your rule until now:") {
		return draft.File
	}
	return filepath.Join(filepath.Dir(draft.File), p.Name+".toml")
}

// decisions reads the flags.
func (o *decideOptions) decisions() (out []merge.Choice, err error) {
	for _, kind := range []struct {
		verdict merge.Answer
		values  []string
	}{{merge.Accept, o.accept}, {merge.Keep, o.keep}, {merge.LeaveOut, o.leaveOut}} {
		for _, value := range kind.values {
			id, reason, _ := strings.Cut(value, "=")
			if strings.TrimSpace(reason) == "" || id == "" {
				return nil, commandline.Usage("--%s %q: write ID=REASON; the reason goes into the profile", kind.verdict, value)
			}
			out = append(out, merge.Choice{ID: id, Answer: kind.verdict, Reason: strings.TrimSpace(reason)})
		}
	}
	return out, nil
}

// nameSubjects adds to the reason of each accepted rule the name that a warning of profiles check asks for:
// the person has seen the warning, and answers it.
func nameSubjects(decisions []merge.Choice, data []byte, shipped []*rules.Profile) {
	_, findings := lint.Texts([]lint.Text{{File: "the result", Data: data}}, shipped)
	for i := range decisions {
		d := &decisions[i]
		if d.Answer == merge.LeaveOut {
			continue
		}
		for _, f := range findings {
			_, id, _ := strings.Cut(f.Rule, "/")
			if !f.Noted() && f.Subject != "" && (id == d.ID || id == d.ID+"-old" || id == d.ID+"-new") && !strings.Contains(d.Reason, f.Subject) {
				d.Reason += " (" + f.Subject + ")"
			}
		}
	}
}
