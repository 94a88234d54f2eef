// Profiles merge: the command that carries the decisions of a person over into the draft of a
// document's next revision.

package catalogue

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/denials/text"
	"sallyport/rules/profile"
	"sallyport/rules/profile/merge"
)

// mergeOptions are the flags of profiles merge.
type mergeOptions struct {
	old, new string
	output   string
	asJSON   bool
}

func newMerge() *cobra.Command {
	var o mergeOptions
	c := &cobra.Command{
		Use:   "merge REVIEWED --old DRAFT --new DRAFT",
		Short: "Carry your decisions over into the draft of a document's next revision",
		Long: `merge takes three files: the draft of the old revision as import wrote it (--old), the
profile that you made of it (REVIEWED), and the draft of the new revision (--new). It
writes your profile for the new revision, row by row:

  follows   you did not change the rule: it is as the new document has it
  added     a new row of the document that became a rule
  removed   the document does not have the row any more, and you did not change the rule
  kept      your change, your decision on a NOTE, or a row that you left out: the
            document did not change the row
  joined    you and the document changed different keys of a rule: it has both changes
  own       a rule that you wrote, and that comes from no row
  undecided a NOTE that import wrote, and that you have not decided
  conflict  you and the document changed the same thing: your rule becomes a comment that
            begins with NOTE, with your rule and the new row in it

A comment permits nothing: until you decide a conflict, its destination is denied. Your
comments, ids, features and the order of your rules stay. merge checks that the result
says what the report says, or writes nothing.

Without --output the profile goes to standard output, and the report to standard error.

Exit status: 0 if nothing is left to decide, 1 if there is a conflict or a new row that
is a NOTE, 2 if the command line is wrong or the files do not fit together.`,
		Example: `  sallyport profiles merge backup.toml --old draft-3.toml --new draft-4.toml --output backup-4.toml
  sallyport profiles merge backup.toml --old draft-3.toml --new draft-4.toml --output backup-4.toml --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return commandline.Usage("profiles merge takes one profile: the reviewed one; the drafts are --old and --new")
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	f := c.Flags()
	f.StringVar(&o.old, "old", "", "the `DRAFT` of the old revision, as import wrote it")
	f.StringVar(&o.new, "new", "", "the `DRAFT` of the new revision, as import wrote it")
	f.StringVarP(&o.output, "output", "o", "", "write the profile to `FILE` instead of standard output")
	f.BoolVar(&o.asJSON, "json", false, "print the report as JSON; needs --output")
	for _, name := range []string{"old", "new", "output"} {
		_ = c.MarkFlagFilename(name, "toml")
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		open, err := o.run(args[0], c.OutOrStdout(), c.ErrOrStderr())
		switch {
		case err != nil:
			return commandline.Exit(2, err)
		case open:
			return commandline.Exit(1, nil)
		}
		return nil
	}
	return c
}

// run merges, and reports whether a person must decide something.
func (o *mergeOptions) run(reviewed string, out, errs io.Writer) (bool, error) {
	switch {
	case o.old == "" || o.new == "":
		return false, commandline.Usage("profiles merge needs --old DRAFT and --new DRAFT: the drafts that import wrote of the old document and of the new one")
	case o.asJSON && o.output == "":
		return false, commandline.Usage("--json needs --output FILE: standard output has the report then")
	}
	if filepath.Clean(o.old) == filepath.Clean(reviewed) {
		return false, commandline.Usage("--old is %s, the reviewed profile itself: name the draft that import wrote and that you copied; if you edited the draft in place, import the old document again", o.old)
	}
	var texts []merge.Text
	for _, name := range []string{o.old, reviewed, o.new} {
		data, err := readWhole(name, nil, profile.MaxSize)
		if err != nil {
			return false, err
		}
		texts = append(texts, merge.Text{File: name, Data: data})
	}
	r, err := merge.Merge(texts[0], texts[1], texts[2])
	if err != nil {
		return false, err
	}
	open := r.Count(merge.Conflict)+r.Count(merge.Undecided) > 0
	if o.output == "" {
		if _, err := out.Write(r.Data); err != nil {
			return false, err
		}
		r.WriteText(errs, "line", terminal.Printable)
		return open, nil
	}
	if err := replaceFile(o.output, r.Data); err != nil {
		return false, err
	}
	if o.asJSON {
		return open, text.WriteJSON(out, r.JSON(o.output), "  ")
	}
	w := bufio.NewWriter(out)
	r.WriteText(w, o.output, terminal.Printable)
	if open {
		fmt.Fprintf(w, "next: sallyport profiles decide %s\n", o.output)
	} else {
		fmt.Fprintf(w, "next: nothing is left to decide: sallyport profiles check --strict %s\n", o.output)
	}
	return open, w.Flush()
}
