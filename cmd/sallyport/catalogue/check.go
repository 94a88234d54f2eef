// Profiles check: the command that prints every error of profiles, and warns of lines that
// are often a mistake.

package catalogue

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sallyport/cmd/sallyport/commandline"
	"sallyport/cmd/sallyport/gateway"
	"sallyport/cmd/sallyport/terminal"
	"sallyport/denials/text"
	"sallyport/rules"
	"sallyport/rules/profile"
	"sallyport/rules/profile/lint"
)

// newCheck returns the command profiles check.
func newCheck() *cobra.Command {
	var asJSON, strict bool
	c := &cobra.Command{
		Use:   "check FILE…",
		Short: "Print every error of profiles, and warn of lines that are often a mistake",
		Long: `check reads profiles and prints every error as file:line: text, of all files at
once. FILE is a profile, a directory with profiles (*.toml), or "-" for standard input.
"sallyport help profile" describes every key of a profile.

It also warns of what is valid, but often a mistake:
  spelling  a name is one edit away from another name of these files or of a shipped
            profile: a letter more, less or changed, or two letters exchanged
  shared    other customers can have such a name: a public suffix, a content network
            (cloudfront.net), a host that all customers share (storage.googleapis.com)
  wildcard  a wildcard in a profile whose other names are exact; or a rule with a
            condition whose name a wildcard permits without the condition
  source    a rule without a section
  ports     more than 1,000 ports, or all
  special   an address that no host of the Internet has
  unused    a feature, a port or a party that no rule names
  role      a port that the profile, or the shipped profile of the same name, gives only
            to another role at this destination
  undecided a row of the document is still a comment that begins with NOTE, as import
            writes it

Compare each warning with the document. If the document is right, write so in the note
of the rule, with the name, address or port in it (ALL for every port): the warning is
then printed as "noted", and no longer counts as a warning. For undecided, write the rule
in place of the NOTE, or remove the NOTE.

Exit status: 0 if no file has an error, 1 if a file has one; with --strict also 1 if there is
a warning that no note explains; 2 if the command line is wrong.`,
		Example: `  sallyport profiles check backup.toml
  sallyport profiles check --strict /etc/sallyport/profiles
  sallyport profiles import ports.html --title "Ports of Backup 7" | sallyport profiles check -
  sallyport profiles check --json backup.toml`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"toml"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&strict, "strict", false, "exit with 1 also if there is a warning that no note explains")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return commandline.Usage("profiles check takes files, directories, or - for standard input")
		}
		shipped, err := gateway.ShippedProfiles()
		if err != nil {
			return err
		}
		profiles, findings := lint.Texts(readTexts(args, c.InOrStdin()), shipped)
		result := lint.NewJSON(profiles, findings)
		if asJSON {
			err = text.WriteJSON(c.OutOrStdout(), result, "  ")
		} else {
			err = printFindings(c.OutOrStdout(), result, findings)
		}
		if err == nil && (result.Errors > 0 || strict && result.Warnings > 0) {
			return commandline.Exit(1, nil)
		}
		return err
	}
	return c
}

// printFindings writes the findings as lines. The last line counts them.
func printFindings(out io.Writer, result lint.JSON, findings []lint.Finding) error {
	for _, f := range findings {
		if _, err := fmt.Fprintln(out, terminal.Printable(f.String())); err != nil {
			return err
		}
	}
	good := "good"
	if !result.Good {
		good = "not good"
	}
	_, err := fmt.Fprintf(out, "%s: %s, %s, %s, %d noted\n", good, rules.Counted(len(result.Profiles), "profile", "profiles"), rules.Counted(result.Errors, "error", "errors"), rules.Counted(result.Warnings, "warning", "warnings"), result.Noted)
	return err
}

// readTexts reads the files, and of a directory the files that end in .toml.
func readTexts(args []string, in io.Reader) (texts []lint.Text) {
	seen := map[string]bool{}
	for _, arg := range args {
		files, err := filesOf(arg)
		if err != nil {
			texts = append(texts, lint.Text{File: arg, Err: err})
		}
		for _, file := range files {
			if seen[filepath.Clean(file)] {
				continue
			}
			seen[filepath.Clean(file)] = true
			data, err := readWhole(file, in, profile.MaxSize)
			name := file
			if file == "-" {
				name = "standard input"
			}
			texts = append(texts, lint.Text{File: name, Data: data, Err: reason(err)})
		}
	}
	return texts
}

// reason returns why a file cannot be read. It leaves out the file's name, because the
// finding already names the file.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// filesOf returns the file itself, or the profiles of a directory. A pipe in a directory is no
// profile: nothing may ever write to it.
func filesOf(path string) (files []string, err error) {
	if info, err := os.Stat(path); path == "-" || err != nil || !info.IsDir() {
		return []string{path}, nil // an absent file is reported when it is read
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		if e.Type()&^fs.ModeSymlink == 0 && strings.HasSuffix(e.Name(), ".toml") && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if err == nil && len(files) == 0 {
		err = errors.New("there is no *.toml in this directory")
	}
	return files, reason(err)
}
